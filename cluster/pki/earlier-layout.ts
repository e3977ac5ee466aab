import { existsSync, mkdirSync, readdirSync, renameSync } from "node:fs";
import path from "node:path";

/** Where files go that an earlier version kept flat in one folder; undefined: not one of them. */
function placeOf(file: string): string | undefined {
  const [, stem = "", end = ""] = /^(.+)\.(key|crt|pub)$/.exec(file) ?? [];
  if (/^(server|client|kubelet)-ca$/.test(stem) || stem === "service-account") return `authorities/${file}`;
  if (stem === "api-server") return `identities/api-server/server.${end}`;
  if (stem === "api-server-kubelet-client") return `identities/api-server/kubelet-client.${end}`;
  if (stem === "admin") return `identities/admin/client.${end}`;
  const [, node] = /^(.+)-kubelet$/.exec(stem) ?? [];
  return node === undefined ? undefined : `identities/node-${node}/server.${end}`;
}

/** Moved last: while it is here the move has not been finished. */
const LAST = "server-ca.crt";

/** Moves the files of an earlier version to where they are kept today; a move that was cut short goes on. */
export function adoptEarlierLayout(folder: string): void {
  if (!existsSync(path.join(folder, LAST))) return;
  const files = readdirSync(folder).filter((file) => file !== LAST);
  for (const file of [...files, LAST]) {
    const place = placeOf(file);
    if (place === undefined || existsSync(path.join(folder, place))) continue;
    mkdirSync(path.dirname(path.join(folder, place)), { recursive: true, mode: 0o700 });
    renameSync(path.join(folder, file), path.join(folder, place));
  }
}
