import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { runCommand } from "../../lib/process/command.ts";
import { buildTestImage } from "../../node-agent/images/busybox-image.ts";
import { type ArchivedBlob, readImageArchive } from "../../node-agent/images/image-archive.ts";
import { memorySource } from "../../node-agent/images/tar-archive.ts";

// A registry (OCI distribution, pull only) that holds the test image under every name; names that begin with `private/`
// need robot:secret. Prints its port; ends with its standard input.
const built = await buildTestImage(runCommand);
const architecture = process.arch === "x64" ? "amd64" : process.arch;
const [image] = await readImageArchive(memorySource(built.archive), architecture);
if (image === undefined) throw new Error("the test image has no image in it");
const blobs = new Map<string, ArchivedBlob>();
for (const blob of [image.manifest, image.config, ...image.layers]) blobs.set(blob.digest, blob);
const ALLOWED = `Basic ${Buffer.from("robot:secret").toString("base64")}`;

const server = createServer(async (request, response) => {
  const [, name = "", kind, reference = ""] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(request.url ?? "") ?? [];
  if (request.url !== "/v2/" && kind === undefined) return void response.writeHead(404).end();
  if (name.startsWith("private/") && request.headers.authorization !== ALLOWED)
    return void response.writeHead(401, { "www-authenticate": 'Basic realm="test"' }).end();
  if (kind === undefined) return void response.writeHead(200).end();
  const blob = kind === "manifests" && !reference.startsWith("sha256:") ? image.manifest : blobs.get(reference);
  if (blob === undefined || name.endsWith("/none")) return void response.writeHead(404).end();
  response.writeHead(200, {
    "content-type": blob.mediaType,
    "content-length": blob.sizeBytes,
    "docker-content-digest": blob.digest,
  });
  response.end(request.method === "HEAD" ? undefined : await blob.read(0, blob.sizeBytes));
});
server.listen(0, "127.0.0.1", () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
process.stdin.on("end", () => process.exit(0)).resume();
