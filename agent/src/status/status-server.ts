import { chmodSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import type { StatusDocument } from "./status-document.ts";

/**
 * Listens on a socket that root alone may open; whoever connects is sent the document as it is then, as JSON, and
 * hung up on. Nothing is read. Resolves when it listens.
 */
export function serveStatus(path: string, describe: () => StatusDocument): Promise<Server> {
  const server = createServer((socket) => {
    socket.on("error", () => {}); // the asker has gone: nobody to tell
    try {
      socket.end(JSON.stringify(describe()));
    } catch {
      socket.destroy(); // a disk that cannot be read: the asker says that the agent does not answer
    }
  });
  rmSync(path, { force: true });
  return new Promise((resolve, reject) => {
    server.on("error", reject);
    server.listen(path, () => {
      chmodSync(path, 0o600);
      resolve(server);
    });
  });
}
