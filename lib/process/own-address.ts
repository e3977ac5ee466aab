import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";

/**
 * The address of this machine from which it reaches `host`, by its routes as they are now; nothing is sent. Rejects when the
 * name is not known or no route leads there.
 */
export async function ownAddressTowards(host: string, port: number): Promise<string> {
  const { address, family } = await lookup(host);
  const socket = createSocket(family === 6 ? "udp6" : "udp4");
  try {
    await new Promise<void>((resolve, reject) => {
      // Contrary to its type, it is told of a failure too.
      const done = (error?: Error) => (error ? reject(error) : resolve());
      socket.connect(port, address, done);
    });
    return socket.address().address;
  } finally {
    socket.close();
  }
}
