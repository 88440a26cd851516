import type { Context } from "@sallyport/client/context.ts";
import { run } from "@sallyport/client/program.ts";

/** A Wednesday, 10:00 in Berlin. */
const NOW = Date.UTC(2026, 10, 11, 9);

export interface Transcript {
  status: number;
  stdout: string;
  stderr: string;
  /** Both, in the order in which they were written. */
  all: string;
}

/** Runs `sallyport` in this process, on a machine where nobody has signed in. */
export async function sallyport(...args: string[]): Promise<Transcript> {
  const result = { status: 0, stdout: "", stderr: "", all: "" };
  const output = (name: "stdout" | "stderr") => ({
    columns: 100,
    write: (chunk: string | Uint8Array) => {
      const text = Buffer.from(chunk).toString("utf8");
      result[name] += text;
      result.all += text;
      return true;
    },
  });
  const context: Context = {
    home: "/nonexistent/sallyport",
    userHome: "/nonexistent",
    env: {},
    uid: 1000,
    platform: "linux",
    nodePath: "/opt/node",
    mainPath: "/opt/main.ts",
    stdout: output("stdout"),
    stderr: output("stderr"),
    now: () => NOW,
  };
  result.status = await run(args, context);
  return result;
}
