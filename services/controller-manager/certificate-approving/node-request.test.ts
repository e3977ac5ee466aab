import { expect, test } from "vitest";
import type { CertificateSigningRequest } from "../../../lib/gen/k8s/certificates/v1.ts";
import {
  createSigningRequest,
  readSigningRequest,
  type SigningRequestSubject,
} from "../../../lib/pki/signing-request.ts";
import { misfit, SIGNERS } from "../certificate-requests/signer-rules.ts";
import { judgeNodeRequest } from "./node-request.ts";

const nodes = [
  {
    metadata: { name: "n1" },
    status: {
      addresses: [
        { type: "InternalIP", address: "10.0.0.1" },
        { type: "InternalIP", address: "127.0.0.1" },
      ],
    },
  },
  {
    metadata: { name: "n2" },
    status: {
      addresses: [
        { type: "InternalIP", address: "10.0.0.2" },
        { type: "InternalIP", address: "127.0.0.1" },
      ],
    },
  },
  { metadata: { name: "liar" }, status: { addresses: [{ type: "InternalIP", address: "10.0.0.2" }] } },
];
const askers = {
  n1: { username: "system:node:n1", groups: ["system:nodes"] },
  liar: { username: "system:node:liar", groups: ["system:nodes"] },
  token: { username: "system:bootstrap:abcdef", groups: ["system:bootstrappers"] },
  admin: { username: "admin", groups: ["system:masters"] },
};
const client = {
  signerName: "kubernetes.io/kube-apiserver-client-kubelet",
  usages: ["digital signature", "client auth"] as const,
};
const serving = { signerName: "kubernetes.io/kubelet-serving", usages: ["digital signature", "server auth"] as const };
const NODES = ["system:nodes"];

type Signer = { signerName: string; usages: readonly string[] };

test.each<[string, keyof typeof askers, Signer, SigningRequestSubject, string]>([
  ["a new node's certificate", "token", client, { commonName: "system:node:n9", organizations: NODES }, "approve"],
  [
    "a certificate of a node that is there",
    "token",
    client,
    { commonName: "system:node:n1", organizations: NODES },
    "deny",
  ],
  [
    "a serving certificate by token",
    "token",
    serving,
    { commonName: "system:node:n9", organizations: NODES, dnsNames: ["n9"] },
    "ignore",
  ],
  ["masters by token", "token", client, { commonName: "system:node:n9", organizations: ["system:masters"] }, "deny"],
  [
    "one group more",
    "token",
    client,
    { commonName: "system:node:n9", organizations: [...NODES, "system:masters"] },
    "deny",
  ],
  ["another user by token", "token", client, { commonName: "admin", organizations: NODES }, "deny"],
  [
    "names in a client certificate",
    "n1",
    client,
    { commonName: "system:node:n1", organizations: NODES, dnsNames: ["n1"] },
    "deny",
  ],
  [
    "server use of a client certificate",
    "n1",
    { ...client, usages: ["client auth", "server auth"] },
    { commonName: "system:node:n1", organizations: NODES },
    "deny",
  ],
  ["its own again", "n1", client, { commonName: "system:node:n1", organizations: NODES }, "approve"],
  ["another node's", "n1", client, { commonName: "system:node:n2", organizations: NODES }, "deny"],
  [
    "its own address",
    "n1",
    serving,
    { commonName: "system:node:n1", organizations: NODES, dnsNames: ["n1"], ipAddresses: ["10.0.0.1", "127.0.0.1"] },
    "approve",
  ],
  [
    "a name more",
    "n1",
    serving,
    { commonName: "system:node:n1", organizations: NODES, dnsNames: ["n1", "kubernetes"] },
    "deny",
  ],
  [
    "another node's address",
    "n1",
    serving,
    { commonName: "system:node:n1", organizations: NODES, ipAddresses: ["10.0.0.2"] },
    "deny",
  ],
  [
    "an address that another node has, too",
    "liar",
    serving,
    { commonName: "system:node:liar", organizations: NODES, ipAddresses: ["10.0.0.2"] },
    "deny",
  ],
  [
    "another node's name",
    "n1",
    serving,
    { commonName: "system:node:n2", organizations: NODES, dnsNames: ["n2"] },
    "deny",
  ],
  ["no name", "n1", serving, { commonName: "system:node:n1", organizations: NODES }, "deny"],
  ["what people ask", "admin", client, { commonName: "system:node:n9", organizations: NODES }, "ignore"],
])("%s, asked by %s", async (_, asker, signer, subject, expected) => {
  const { requestPem } = await createSigningRequest(subject);
  const object = { spec: { ...signer, ...askers[asker] } } as unknown as CertificateSigningRequest;
  const asked = await readSigningRequest(requestPem);
  const why = misfit(SIGNERS.get(signer.signerName)!, object, asked);
  expect(judgeNodeRequest(object, asked, why, nodes)).toMatchObject({ type: expected });
});

test("a node that has not told its addresses yet is waited for", async () => {
  const { requestPem } = await createSigningRequest({
    commonName: "system:node:n9",
    organizations: NODES,
    dnsNames: ["n9"],
  });
  const spec = { ...serving, username: "system:node:n9", groups: NODES };
  const object = { spec } as unknown as CertificateSigningRequest;
  expect(judgeNodeRequest(object, await readSigningRequest(requestPem), undefined, nodes)).toMatchObject({
    type: "wait",
  });
});
