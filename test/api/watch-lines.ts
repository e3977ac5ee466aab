import { request as httpsRequest } from "node:https";
import type { ApiFixture } from "./api-fixture.ts";

export interface WatchLine {
  readonly type: string;
  readonly object: {
    readonly code?: number;
    readonly reason?: string;
    readonly metadata: {
      readonly name?: string;
      readonly resourceVersion?: string;
      readonly annotations?: Readonly<Record<string, string>>;
    };
  };
}

/** The first `count` events of a watch; fails when they do not come in time. */
export async function watchLines(
  api: ApiFixture,
  target: string,
  count: number,
  timeoutMs = 5000,
): Promise<WatchLine[]> {
  return await new Promise((resolve, reject) => {
    const { admin, port, serverCaPem } = api;
    const lines: WatchLine[] = [];
    const request = httpsRequest(
      { host: "127.0.0.1", port, path: target, ca: serverCaPem, cert: admin.certPem, key: admin.keyPem, agent: false },
      (response) => {
        let rest = "";
        response.setEncoding("utf8");
        response.on("data", (text: string) => {
          const parts = `${rest}${text}`.split("\n");
          rest = parts.pop() ?? "";
          for (const part of parts) lines.push(JSON.parse(part) as WatchLine);
          if (lines.length >= count) finish();
        });
        response.on("end", finish);
        response.on("error", () => {});
      },
    );
    const finish = (): void => {
      clearTimeout(timer);
      request.destroy();
      resolve(lines);
    };
    const timer = setTimeout(() => {
      request.destroy();
      reject(new Error(`only ${lines.length} of ${count} events came: ${JSON.stringify(lines)}`));
    }, timeoutMs);
    request.on("error", (error) => {
      if (lines.length < count) reject(error);
    });
    request.end();
  });
}
