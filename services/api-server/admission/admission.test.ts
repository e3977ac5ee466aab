import { describe, expect, test } from "vitest";
import { SeededRandom } from "../../../lib/core/seeded-random.ts";
import { VirtualClock } from "../../../lib/core/virtual-clock.ts";
import type { KubeObject } from "../core/kube-object.ts";
import type { Target } from "../core/request.ts";
import type { AdmissionRequest } from "./admission.ts";
import type { CachedReads } from "./cached-reads.ts";
import { defaultTolerationSeconds } from "./default-toleration-seconds.ts";
import { NamespaceLifecycle } from "./namespace-lifecycle.ts";
import { Priority } from "./priority.ts";
import { ServiceAccountAdmission } from "./service-account.ts";

/** What plugins read, as plain objects by `resource/namespace/name`. */
function readsOf(objects: Readonly<Record<string, KubeObject>>): CachedReads {
  const reads = {
    find: async (resource: string, namespace: string, name: string) => objects[`${resource}/${namespace}/${name}`],
    *all(resource: string) {
      for (const [key, object] of Object.entries(objects)) if (key.startsWith(`${resource}/`)) yield object;
    },
  };
  return reads as unknown as CachedReads;
}

function request(resource: string, object: KubeObject, options: Partial<AdmissionRequest> = {}): AdmissionRequest {
  const definition = { group: "", version: "v1", resource, kind: resource, namespaced: resource !== "namespaces" };
  const target = { kind: { definition }, namespace: "default", name: object.metadata?.name ?? "", subresource: "" };
  const call = { identity: { user: "u", groups: [] }, signal: new AbortController().signal, warnings: [] };
  return {
    operation: "CREATE",
    target: target as unknown as Target,
    call,
    object,
    old: undefined,
    dryRun: false,
    ...options,
  };
}

function pod(spec: Record<string, unknown> = {}): KubeObject & { spec: Record<string, unknown> } {
  return { metadata: { name: "p" }, spec: { containers: [{ name: "a" }, { name: "b" }], ...spec } };
}

describe("ServiceAccount", () => {
  const plugin = (account: KubeObject = {}) =>
    new ServiceAccountAdmission({
      reads: readsOf({ "serviceaccounts/default/default": account }),
      random: new SeededRandom(1),
      clock: new VirtualClock(),
    });

  test("gives the default account and mounts its token where upstream does", async () => {
    const object = pod();
    await plugin().mutate(request("pods", object));
    expect(object.spec["serviceAccountName"]).toBe("default");
    const [volume] = object.spec["volumes"] as { name: string; projected: { sources: object[] } }[];
    expect(volume?.name).toMatch(/^kube-api-access-[a-z0-9]{5}$/);
    expect(volume?.projected.sources).toEqual([
      { serviceAccountToken: { expirationSeconds: 3607, path: "token" } },
      { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
      {
        downwardAPI: {
          items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }],
        },
      },
    ]);
    const mount = { name: volume?.name, readOnly: true, mountPath: "/var/run/secrets/kubernetes.io/serviceaccount" };
    for (const container of object.spec["containers"] as { volumeMounts: object[] }[])
      expect(container.volumeMounts).toEqual([mount]);
  });

  test("mounts nothing where account or pod say no, and the pod has the last word", async () => {
    for (const [account, spec, mounts] of [
      [{ automountServiceAccountToken: false }, {}, false],
      [{}, { automountServiceAccountToken: false }, false],
      [{ automountServiceAccountToken: false }, { automountServiceAccountToken: true }, true],
    ] as const) {
      const object = pod({ ...spec });
      await plugin(account).mutate(request("pods", object));
      expect(object.spec["volumes"] !== undefined).toBe(mounts);
    }
  });

  test("waits a moment for the default account of a new namespace", async () => {
    const objects: Record<string, KubeObject> = {};
    const clock = new VirtualClock();
    const waiting = new ServiceAccountAdmission({ reads: readsOf(objects), random: new SeededRandom(1), clock });
    const object = pod();
    const admitted = waiting.mutate(request("pods", object));
    await clock.advance(500);
    objects["serviceaccounts/default/default"] = {};
    await clock.advance(500);
    await admitted;
    expect(object.spec["serviceAccountName"]).toBe("default");
    delete objects["serviceaccounts/default/default"];
    const refused = expect(waiting.mutate(request("pods", pod()))).rejects.toMatchObject({ code: 403 });
    await clock.advance(3_000);
    await refused;
  });

  test("refuses an account that is absent", async () => {
    const refused = plugin().mutate(request("pods", pod({ serviceAccountName: "other" })));
    await expect(refused).rejects.toThrow(
      'pods "p" is forbidden: error looking up service account default/other: serviceaccount "other" not found',
    );
  });
});

describe("Priority", () => {
  const classes = {
    "priorityclasses//high": { metadata: { name: "high" }, value: 1000, preemptionPolicy: "Never" },
    "priorityclasses//usual": { metadata: { name: "usual" }, value: 10, globalDefault: true },
  };

  test("turns a class into a number and a policy", async () => {
    const object = pod({ priorityClassName: "high" });
    await new Priority(readsOf(classes)).mutate(request("pods", object));
    expect(object.spec).toMatchObject({ priority: 1000, preemptionPolicy: "Never" });
  });

  test("takes the global default, or zero where there is none", async () => {
    const withDefault = pod();
    await new Priority(readsOf(classes)).mutate(request("pods", withDefault));
    expect(withDefault.spec).toMatchObject({ priorityClassName: "usual", priority: 10 });
    const without = pod();
    await new Priority(readsOf({})).mutate(request("pods", without));
    expect(without.spec).toMatchObject({ priority: 0, preemptionPolicy: "PreemptLowerPriority" });
  });

  test("refuses an unknown class and a number of the client's own", async () => {
    const plugin = new Priority(readsOf(classes));
    await expect(plugin.mutate(request("pods", pod({ priorityClassName: "none" })))).rejects.toThrow(
      "no PriorityClass with name none was found",
    );
    await expect(plugin.mutate(request("pods", pod({ priority: 5 })))).rejects.toMatchObject({ code: 403 });
  });
});

describe("DefaultTolerationSeconds", () => {
  test("adds what is missing and leaves what is there", async () => {
    const own = { key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute", tolerationSeconds: 5 };
    const object = pod({ tolerations: [own] });
    await defaultTolerationSeconds.mutate?.(request("pods", object));
    expect(object.spec["tolerations"]).toEqual([
      own,
      { key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 },
    ]);
    const everything = pod({ tolerations: [{ operator: "Exists" }] });
    await defaultTolerationSeconds.mutate?.(request("pods", everything));
    expect(everything.spec["tolerations"]).toEqual([{ operator: "Exists" }]);
  });
});

describe("NamespaceLifecycle", () => {
  const plugin = new NamespaceLifecycle(
    readsOf({
      "namespaces//default": { metadata: { name: "default" }, status: { phase: "Active" } },
      "namespaces//going": { metadata: { name: "going" }, status: { phase: "Terminating" } },
    }),
  );
  const inNamespace = (namespace: string): AdmissionRequest => {
    const made = request("configmaps", { metadata: { name: "x" } });
    return { ...made, target: { ...made.target, namespace } };
  };

  test("lets nothing be made where there is no namespace, or one that goes", async () => {
    await plugin.mutate(inNamespace("default"));
    await expect(plugin.mutate(inNamespace("absent"))).rejects.toThrow('namespaces "absent" not found');
    await expect(plugin.mutate(inNamespace("going"))).rejects.toMatchObject({
      code: 403,
      details: { causes: [{ reason: "NamespaceTerminating" }] },
    });
  });

  test("keeps the namespaces that every cluster needs", async () => {
    const remove = request("namespaces", { metadata: { name: "kube-system" } }, { operation: "DELETE" });
    await expect(plugin.mutate(remove)).rejects.toThrow(
      'namespaces "kube-system" is forbidden: this namespace may not be deleted',
    );
  });
});
