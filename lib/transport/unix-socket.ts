import { lstatSync, rmSync } from "node:fs";
import { connect } from "node:net";

/** Takes away the socket that a killed process left at `path`; one that somebody listens on, and other files, stay. */
export async function clearUnixSocket(path: string): Promise<void> {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() !== true) return;
  const isTaken = await new Promise<boolean>((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    // Refused: nobody listens. Anything else (a full backlog, no right to enter) means that somebody may.
    socket.once("error", (error: NodeJS.ErrnoException) => resolve(error.code !== "ECONNREFUSED"));
  });
  if (!isTaken) rmSync(path, { force: true });
}
