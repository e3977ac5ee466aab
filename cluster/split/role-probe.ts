import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import { MaintenanceDefinition } from "../../lib/gen/etcd/etcdserverpb/rpc.ts";
import { RoleDefinition } from "../../lib/gen/keelson/role/v1/role.ts";
import { type ChannelOptions, GrpcChannel } from "../../lib/transport/grpc-client.ts";
import type { RoleStatus } from "../status-server.ts";

export type ProbeResult = Pick<RoleStatus, "health" | "leader" | "detail">;
/** Asks once how a process does. Never rejects. */
export type Probe = () => Promise<ProbeResult>;

const LIMIT_MS = 3_000;
const OK: ProbeResult = { health: "ok", leader: false, detail: "" };

function failing(detail: string): ProbeResult {
  return { health: "failing", leader: false, detail };
}

/** A role's own words, on its unix socket. */
export function describeProbe(socket: string): Probe {
  return () =>
    withChannel({ target: `unix:${socket}` }, async (channel) => {
      const { ready, leading, detail } = await channel.client(RoleDefinition).describe({}, { timeoutMs: LIMIT_MS });
      return { health: ready ? "ok" : "failing", leader: leading, detail };
    });
}

/** nats-server greets whoever connects and then proves itself; who leaves before is an error in its log. */
export function natsProbe(port: number, authorityPem: string): Probe {
  return () =>
    onSocket(connect(port, "127.0.0.1"), (socket, done) => {
      socket.once("data", (data) => {
        if (!String(data).startsWith("INFO ")) return done(failing("does not greet as NATS does"));
        const secured = connectTls({ socket, ca: authorityPem, servername: "nats" }, () => {
          // Sent to its end, or the server would not learn that the greeting went well.
          secured.end(() => done(OK));
        });
        secured.once("error", (error) => done(failing(`cannot prove what it is: ${error.message}`)));
      });
    });
}

/** Through the balancer to an api-server, whose certificate proves that it is one. */
export function balancerProbe(address: { host: string; port: number }, authorityPem: string): Probe {
  return () =>
    onSocket(connectTls({ ...address, ca: authorityPem, servername: "kubernetes" }), (socket, done) => {
      socket.once("secureConnect", () => done(OK));
    });
}

/** Healthy while a member answers; the others are named. */
export function etcdProbe(endpoints: readonly string[], tls: ChannelOptions["tls"]): Probe {
  return async () => {
    const answers = await Promise.all(
      endpoints.map((target) =>
        withChannel({ target, ...(tls === undefined ? {} : { tls }) }, async (channel) => {
          await channel.client(MaintenanceDefinition).status({}, { timeoutMs: LIMIT_MS });
          return OK;
        }),
      ),
    );
    const silent = endpoints.filter((_, index) => answers[index]?.health !== "ok");
    const detail = silent.length === 0 ? "" : `no answer from ${silent.join(", ")}`;
    return { ...(silent.length === endpoints.length ? failing("") : OK), detail };
  };
}

async function withChannel(
  options: ChannelOptions,
  ask: (channel: GrpcChannel) => Promise<ProbeResult>,
): Promise<ProbeResult> {
  const channel = new GrpcChannel(options);
  try {
    return await ask(channel);
  } catch (error) {
    return failing(`does not answer: ${(error as Error).message}`);
  } finally {
    channel.close();
  }
}

type Connection = ReturnType<typeof connect>;

function onSocket(
  socket: Connection,
  listen: (socket: Connection, done: (result: ProbeResult) => void) => void,
): Promise<ProbeResult> {
  return new Promise<ProbeResult>((resolve) => {
    listen(socket, resolve);
    socket.setTimeout(LIMIT_MS, () => resolve(failing("does not answer in time")));
    socket.once("error", (error) => resolve(failing(`does not answer: ${error.message}`)));
    socket.once("close", () => resolve(failing("closes the connection")));
  }).finally(() => socket.destroy());
}
