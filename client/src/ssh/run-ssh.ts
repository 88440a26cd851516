import { spawn } from "node:child_process";
import { constants } from "node:os";
import { SallyportError } from "@sallyport/core/errors.ts";

const PASSED_ON = ["SIGTERM", "SIGHUP"] as const;
/** From the terminal these reach ssh as well; it decides what they mean. */
const LEFT_TO_SSH = ["SIGINT", "SIGQUIT"] as const;

/** Runs ssh on our own terminal and returns its exit status; 128 and the signal's number where a signal ended it. */
export function runSsh(args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn("ssh", args, { stdio: "inherit" });
    const handlers = [
      ...PASSED_ON.map((signal) => [signal, () => void child.kill(signal)] as const),
      ...LEFT_TO_SSH.map((signal) => [signal, () => undefined] as const),
    ];
    for (const [signal, handler] of handlers) process.on(signal, handler);
    const done = (): void => {
      for (const [signal, handler] of handlers) process.off(signal, handler);
    };
    child.on("error", (cause) => {
      done();
      reject(
        new SallyportError("config-missing", "ssh cannot be started; install the OpenSSH client.", { cause }),
      );
    });
    child.on("exit", (status, signal) => {
      done();
      resolve(status ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}
