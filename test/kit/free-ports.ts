import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/** Below what the kernel gives to connections and to port 0, which others would take meanwhile, and below `keelson up`'s. */
const FIRST_PORT = 11_000;
const END_PORT = 16_000;

/** Ports of loopback that nobody listens on at this moment. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = randomInt(FIRST_PORT, END_PORT);
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1" }, () => server.close(() => resolve(true)));
  });
}
