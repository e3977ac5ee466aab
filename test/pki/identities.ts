import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { KeyPair } from "../../lib/core/key-pair.ts";
import { Authority, type CertificateRequest } from "../../lib/pki/authority.ts";
import { type AuthorityName, IdentityFolder } from "../../lib/process/identity-folder.ts";
import { realClock } from "../../lib/process/real-clock.ts";
import { realRandom } from "../../lib/process/real-random.ts";
import { keelson } from "../kit/keelson.ts";

const DAY_MS = 86_400_000;

/** What `keelson pki` made in a folder of its own. */
export class Identities {
  readonly folder: string;
  readonly output: string;

  private constructor(folder: string, output: string) {
    this.folder = folder;
    this.output = output;
  }

  static async make(flags: readonly string[] = []): Promise<Identities> {
    const folder = mkdtempSync(path.join(tmpdir(), "keelson-identities-"));
    const { code, stdout, stderr } = await keelson(["pki", `--out-dir=${folder}`, ...flags]);
    if (code !== 0) throw new Error(`keelson pki: exit ${code}: ${stdout}${stderr}`);
    return new Identities(folder, stdout + stderr);
  }

  of(name: string): IdentityFolder {
    return new IdentityFolder(path.join(this.folder, "identities", name));
  }

  /** What one of the authorities signs beside the identities, `daysAgo` as if made then. */
  async issue(authority: AuthorityName, request: CertificateRequest, daysAgo = 0): Promise<KeyPair> {
    const read = (end: string) => readFileSync(path.join(this.folder, "authorities", `${authority}-ca.${end}`), "utf8");
    const clock = { ...realClock, nowMs: () => realClock.nowMs() - daysAgo * DAY_MS };
    const signer = await Authority.load({ certPem: read("crt"), keyPem: read("key") }, clock, realRandom);
    return signer.issue(request);
  }

  /** Every secret that was made, as its lines: what no output may hold. */
  secrets(): string[] {
    const files = readdirSync(this.folder, { recursive: true, withFileTypes: true });
    return files
      .filter((file) => /\.(key|seed)$/.test(file.name))
      .flatMap((file) => readFileSync(path.join(file.parentPath, file.name), "utf8").split("\n"))
      .filter((line) => line !== "" && !line.startsWith("-----"));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
