import type { KeyPair } from "../lib/core/key-pair.ts";

/** A kubeconfig (JSON is YAML) with one cluster, one user and one context, all called `name`. */
export function kubeconfigText(name: string, server: string, authorityPem: string, user: KeyPair): string {
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name, cluster: { server, "certificate-authority-data": base64(authorityPem) } }],
    users: [
      {
        name: `${name}-admin`,
        user: { "client-certificate-data": base64(user.certPem), "client-key-data": base64(user.keyPem) },
      },
    ],
    contexts: [{ name, context: { cluster: name, user: `${name}-admin`, namespace: "default" } }],
    "current-context": name,
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
