import { once } from "node:events";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import type { Configuration } from "../config/configuration.ts";
import { isOpenElsewhere } from "./snapshot.ts";

const TIMEOUT_MS = 2000;

/** Why a control plane must be running with this configuration: what it has open, or listens on; undefined where none does. */
export async function inUseBy({
  dataDirectory,
  listen: { address, port },
}: Pick<Configuration, "dataDirectory" | "listen">): Promise<string | undefined> {
  const database = join(dataDirectory, "sallyport.db");
  if (existsSync(database) && isOpenElsewhere(database)) return `a program has ${database} open`;
  if (port !== 0 && (await isListening(address, port))) return `a program listens on ${address} port ${port}`;
  return undefined;
}

/** True when something takes connections there; an address that means all is asked on loopback. */
export async function isListening(address: string, port: number): Promise<boolean> {
  const host = address === "0.0.0.0" ? "127.0.0.1" : address === "::" ? "::1" : address;
  const socket = connect({ host, port, timeout: TIMEOUT_MS });
  socket.on("timeout", () => socket.destroy(new Error("no answer")));
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
