import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { silentLog } from "../../../lib/core/log.ts";
import {
  Container,
  ContainerState,
  ContainerStatus,
  ImageServiceDefinition,
  PodSandbox,
  PodSandboxState,
  RuntimeServiceDefinition,
} from "../../../lib/gen/runtime/v1/api.ts";
import { realClock } from "../../../lib/process/real-clock.ts";
import { GrpcServer, type ServiceHandlers } from "../../../lib/transport/grpc-server.ts";
import { RpcError } from "../../../lib/transport/rpc-error.ts";
import type { ServiceDefinition } from "../../../lib/transport/service-definition.ts";
import { PodNetwork } from "../../network/pod-network.ts";
import { LABELS, type SandboxSpec } from "../runtime.ts";
import { CriRuntime } from "./cri-runtime.ts";

const UID = "u-1";
const labels = { [LABELS.podUid]: UID, [LABELS.podName]: "pod", [LABELS.podNamespace]: "ns" };

const sandbox: SandboxSpec = {
  name: "pod",
  namespace: "ns",
  uid: UID,
  attempt: 0,
  hostname: "pod",
  logDirectory: "",
  dns: { servers: [], searches: [], options: [] },
  portMappings: [],
  labels,
  annotations: {},
  cgroupParent: "",
  network: "pod",
  pid: "container",
  ipc: "pod",
  sysctls: {},
  security: {
    privileged: false,
    readOnlyRootFilesystem: false,
    noNewPrivileges: false,
    supplementalGroups: [],
    addCapabilities: [],
    dropCapabilities: [],
    seccomp: "unconfined" as const,
  },
};

/** RELIABILITY §4, CRI as client: answers that no sound runtime gives. */
describe("CRI answers", () => {
  let dir: string;
  let server: GrpcServer;
  let runtime: CriRuntime;
  const handlers: Answers<typeof RuntimeServiceDefinition> = {};
  const images: Answers<typeof ImageServiceDefinition> = {};
  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), "keelson-cri-"));
    server = new GrpcServer({ log: silentLog });
    server.addService(RuntimeServiceDefinition, forwarding(handlers));
    server.addService(ImageServiceDefinition, forwarding(images));
    const socketPath = join(dir, "cri.sock");
    await server.listen(`unix://${socketPath}`);
    runtime = new CriRuntime({ clock: realClock, log: silentLog }, { socketPath });
  });
  afterEach(async () => {
    await runtime.stop();
    await server.stop();
    for (const name of Object.keys(handlers)) delete handlers[name as keyof typeof handlers];
    for (const name of Object.keys(images)) delete images[name as keyof typeof images];
    rmSync(dir, { recursive: true, force: true });
  });

  const sound = ContainerStatus.fromPartial({
    id: "c-1",
    metadata: { name: "web", attempt: 2 },
    state: ContainerState.CONTAINER_RUNNING,
    createdAt: 1_000_000_000n,
    startedAt: 2_000_000_000n,
    labels: { ...labels, [LABELS.containerName]: "web" },
    image: { image: "example/web:1" },
    imageRef: "example/web@sha256:1",
  });
  /** One sandbox, one container, as given. */
  const answer = (status: ContainerStatus, listed: Partial<Container> = {}, copies = 1) => {
    const sandbox = PodSandbox.fromPartial({ id: "s-1", state: PodSandboxState.SANDBOX_READY, labels });
    const container = Container.fromPartial({ id: "c-1", podSandboxId: "s-1", labels, ...listed });
    handlers.listPodSandbox = async () => ({ items: [sandbox] });
    handlers.listContainers = async () => ({ containers: Array.from({ length: copies }, () => container) });
    handlers.podSandboxStatus = async () => ({ status: undefined, info: {}, containersStatuses: [], timestamp: 0n });
    handlers.containerStatus = async () => ({ status, info: {} });
  };

  test("invariant 49: addresses are not collected while a sandbox is made that nobody lists yet", async () => {
    const order: string[] = [];
    const made = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    handlers.runPodSandbox = async () => {
      asked.resolve();
      await made.promise;
      order.push("made");
      return { podSandboxId: "s-1" };
    };
    const run = () => Promise.resolve("").finally(() => order.push("collected"));
    const network = new PodNetwork(
      { run, clock: realClock, log: silentLog },
      {
        installation: { binDir: "/bin/cni", reservationsDir: "/networks" },
        network: { podCidr: "10.1.0.0/24", mtu: 1500 },
      },
    );
    const parts = { clock: realClock, log: silentLog, network };
    const another = new CriRuntime(parts, { socketPath: join(dir, "cri.sock") });
    const running = another.runSandbox({ ...sandbox, logDirectory: join(dir, "logs") });
    await asked.promise;
    const collection = network.collectGarbage(async () => ["s-1"]);
    await new Promise((resolve) => setImmediate(resolve));
    made.resolve();
    expect(await running).toBe("s-1");
    await collection;
    await another.stop();
    expect(order).toEqual(["made", "collected"]);
  });

  test("a sound answer is believed", async () => {
    answer(sound);
    const [container] = (await runtime.readPod(UID)).containers;
    expect(container).toMatchObject({ id: "c-1", name: "web", attempt: 2, state: "running", startedAtMs: 2_000 });
    expect(container?.suspect).toBeUndefined();
  });

  const change = (partial: Partial<ContainerStatus>) => ({ ...sound, ...partial });
  test.each([
    ["an unknown state", change({ state: 9 as ContainerState }), {}, 1, "the unknown state 9"],
    ["an empty id", change({ id: "" }), {}, 1, "another container"],
    ["another id", change({ id: "c-2" }), {}, 1, "another container"],
    ["no metadata", change({ metadata: undefined }), {}, 1, "no metadata"],
    ["a negative time", change({ startedAt: -1n }), {}, 1, "a negative time"],
    ["an exit without its time", change({ state: ContainerState.CONTAINER_EXITED }), {}, 1, "without its time"],
    ["a sandbox that is not there", sound, { podSandboxId: "s-9" }, 1, "sandbox is not known"],
    ["the same container twice", sound, {}, 2, "listed it twice"],
  ])("%s is suspect, and the state unknown", async (_what, status, listed, copies, why) => {
    answer(status, listed, copies);
    const [container] = (await runtime.readPod(UID)).containers;
    expect(container?.state).toBe("unknown");
    expect(container?.suspect).toContain(why);
  });

  test("a container that ended at once was not started after its end", async () => {
    const state = ContainerState.CONTAINER_EXITED;
    answer({ ...sound, state, startedAt: 6_000_000n, finishedAt: 5_000_000n });
    const [container] = (await runtime.readPod(UID)).containers;
    expect(container).toMatchObject({ state: "exited", startedAtMs: 5, finishedAtMs: 5 });
  });

  test("CONTAINER_UNKNOWN is an answer, not nonsense", async () => {
    answer(change({ state: ContainerState.CONTAINER_UNKNOWN }));
    const [container] = (await runtime.readPod(UID)).containers;
    expect([container?.state, container?.suspect]).toEqual(["unknown", undefined]);
  });

  test("what is gone between list and status is not there", async () => {
    answer(sound);
    handlers.containerStatus = async () => {
      throw new RpcError("NOT_FOUND", "gone");
    };
    expect((await runtime.readPod(UID)).containers).toEqual([]);
  });

  test("codes become the agent's words", async () => {
    const codes = [
      ["UNIMPLEMENTED", "unimplemented"],
      ["DEADLINE_EXCEEDED", "timeout"],
      ["UNAVAILABLE", "unavailable"],
      ["NOT_FOUND", "not-found"],
      ["INTERNAL", "failed"],
    ] as const;
    for (const [code, word] of codes) {
      handlers.startContainer = async () => {
        throw new RpcError(code, "text of the runtime");
      };
      await expect(runtime.startContainer("c-1")).rejects.toMatchObject({ code: word, message: "text of the runtime" });
    }
    await expect(runtime.health()).rejects.toMatchObject({ code: "unimplemented" });
  });

  test("an image that has neither id nor record is not here", async () => {
    images.imageStatus = async () => ({ image: undefined, info: {} });
    expect(await runtime.findImage("a\nb")).toBeUndefined();
  });

  test("a hundred megabytes are not taken", async () => {
    answer(change({ message: "x".repeat(100 * 2 ** 20) }));
    await expect(runtime.readPod(UID)).rejects.toMatchObject({ name: "RuntimeError", code: "failed" });
  });

  test("conditions that are missing are not True", async () => {
    handlers.status = async () => ({ status: { conditions: [] }, info: {}, runtimeHandlers: [], features: undefined });
    expect(await runtime.health()).toMatchObject({ runtimeReady: false, networkReady: false });
  });
});

type Answer = (request: unknown) => Promise<unknown>;
type Answers<S extends ServiceDefinition> = { -readonly [K in keyof S["methods"]]?: Answer };

/** Handlers that tests set later; one that is not set is not implemented. */
function forwarding<S extends ServiceDefinition>(answers: Answers<S>): ServiceHandlers<S> {
  const proxy = new Proxy(answers, {
    get: (target, name) => async (request: unknown) => {
      const handler = Reflect.get(target, name) as Answer | undefined;
      if (handler === undefined) throw new RpcError("UNIMPLEMENTED", "unknown method");
      return await handler(request);
    },
  });
  return proxy as unknown as ServiceHandlers<S>;
}
