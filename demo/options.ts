import { resolve } from "node:path";
import { parseArgs } from "node:util";

export type DemoOptions = {
  /** Absolute path of the directory that holds everything the demo writes. */
  directory: string;
  /** The control plane's port; the IdP's and sshd's follow. */
  port: number;
};

/** Ports in use: the control plane, the IdP, sshd. */
export const PORT_COUNT = 3;

export const HELP = `Starts the Sallyport demo on this machine's loopback and stays in the foreground: an identity provider, the control
plane, and one Linux host, web-1, in namespaces of its own. Ctrl-C ends all of it. Needs root.

  npm start -- [--dir DIR] [--port N]

  --dir DIR    where everything is kept; made anew at each start   (default .demo)
  --port N     control plane on N, identity provider on N+1, sshd of web-1 on N+2   (default 7300)
  --help       this text
`;

/** What was wrong with the command line, in a sentence. */
export class UsageError extends Error {}

/** Reads the command line; "help" when that is asked for. Throws {@link UsageError}. */
export function parseOptions(argv: readonly string[], workingDirectory: string): DemoOptions | "help" {
  const options = {
    dir: { type: "string", default: ".demo" },
    port: { type: "string", default: "7300" },
    help: { type: "boolean", short: "h", default: false },
  } as const;
  let values: { dir: string; port: string; help: boolean };
  try {
    ({ values } = parseArgs({ args: [...argv], options, allowPositionals: false }));
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
  if (values.help) return "help";
  const highest = 65_535 - (PORT_COUNT - 1);
  const port = /^\d{1,5}$/.test(values.port) ? Number(values.port) : 0;
  if (port < 1 || port > highest)
    throw new UsageError(`--port takes a number from 1 to ${highest}, not "${values.port}".`);
  if (values.dir === "") throw new UsageError("--dir takes a directory.");
  return { directory: resolve(workingDirectory, values.dir), port };
}
