import { connect } from "node:net";
import { SallyportError } from "@sallyport/core/errors.ts";
import { StatusDocument } from "./status-document.ts";

const TIMEOUT_MS = 5_000;
const MAX_DOCUMENT = 64 * 1024 * 1024;

/**
 * Asks the running agent for its status; null when none runs. Codes `forbidden` (only root may ask), `message-malformed`
 * (an agent of another version), `internal` (it runs and does not answer).
 */
export async function askStatus(path: string, timeoutMs = TIMEOUT_MS): Promise<StatusDocument | null> {
  let text: string;
  try {
    text = await readAll(path, timeoutMs);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    // No socket, or one that a dead agent left behind.
    if (code === "ENOENT" || code === "ECONNREFUSED") return null;
    if (code === "EACCES") throw new SallyportError("forbidden", "Only root may ask the agent.", { cause });
    throw new SallyportError(
      "internal",
      `The agent does not answer on ${path}: ${(cause as Error).message}.`,
      {
        cause,
      },
    );
  }
  const parsed = StatusDocument.safeParse(parseJson(text));
  if (parsed.success) return parsed.data;
  throw new SallyportError(
    "message-malformed",
    "The agent that runs is of another version than this command. Restart it; sessions go on: systemctl restart sallyport-agent",
    { cause: parsed.error },
  );
}

function readAll(path: string, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const timer = setTimeout(() => socket.destroy(new Error("no answer in time")), timeoutMs);
    let text = "";
    socket.setEncoding("utf8");
    socket.on("data", (chunk) => {
      text += chunk;
      if (text.length > MAX_DOCUMENT) socket.destroy(new Error("the answer has no end"));
    });
    socket.on("error", reject);
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(text);
    });
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
