import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { createServer } from "node:net";

/** Throws an error that names the port and its holder if one of the ports cannot be had. */
export async function requirePorts(address: string, ports: readonly number[]): Promise<void> {
  for (const port of ports) {
    const code = await tryPort(address, port);
    if (code === undefined) continue;
    if (code !== "EADDRINUSE") throw new Error(`Port ${port} on ${address} cannot be used (${code}).`);
    throw new Error(
      `Port ${port} is taken by ${portHolder(port) ?? "another process"}. End that, or take other ports: npm start -- --port ${suggestion(ports)}`,
    );
  }
}

/** Who listens on a TCP port of this machine, as far as /proc tells: "nginx (pid 812: nginx: master process)". */
export function portHolder(port: number): string | undefined {
  const sockets = listeningSockets(port);
  if (sockets.size === 0) return undefined;
  for (const pid of readdirSync("/proc").filter((entry) => /^\d+$/.test(entry))) {
    try {
      const links = readdirSync(`/proc/${pid}/fd`).map((fd) => readLink(`/proc/${pid}/fd/${fd}`));
      if (!links.some((link) => sockets.has(link))) continue;
      const name = readFileSync(`/proc/${pid}/comm`, "utf8").trim();
      const line = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
      return `${name} (pid ${pid}: ${line.slice(0, 120)})`;
    } catch {
      // It has ended in the meantime, or belongs to somebody whose files we may not read.
    }
  }
  return undefined;
}

function listeningSockets(port: number): Set<string> {
  const LISTEN = "0A";
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const found = new Set<string>();
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    for (const line of readFileSync(table, "utf8").split("\n").slice(1)) {
      const columns = line.trim().split(/\s+/);
      if (columns[1]?.endsWith(suffix) && columns[3] === LISTEN) found.add(`socket:[${columns[9]}]`);
    }
  }
  return found;
}

function readLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

function tryPort(address: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    server.listen(port, address, () => server.close(() => resolve(undefined)));
  });
}

/** Somewhere else, well away from the ports that were tried. */
function suggestion(ports: readonly number[]): number {
  const first = ports[0] ?? 7300;
  return first + 100 < 65_000 ? first + 100 : 7300;
}
