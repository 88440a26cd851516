// Options of ssh(1) that take a value.
const WITH_VALUE = "BbcDEeFIiJLlmOoPpQRSWw";

/**
 * The host among the arguments of ssh, lower-cased as ssh does, without `user@` and `ssh://`; undefined where there is
 * none (`ssh -V`). Options may stand before and after it, as OpenSSH has it.
 */
export function hostArgument(args: readonly string[]): string | undefined {
  for (let index = 0; index < args.length; index++) {
    const arg = args[index] ?? "";
    if (arg === "--") return hostOf(args[index + 1]);
    if (!arg.startsWith("-") || arg === "-") return hostOf(arg);
    const letters = arg.slice(1);
    const valueAt = [...letters].findIndex((letter) => WITH_VALUE.includes(letter));
    // `-p 22` takes the next argument, `-p22` does not.
    if (valueAt === letters.length - 1) index++;
  }
  return undefined;
}

function hostOf(destination: string | undefined): string | undefined {
  if (destination === undefined) return undefined;
  const uri = /^ssh:\/\/(?:[^@/]*@)?([^:/]+)(?::\d+)?\/?$/i.exec(destination);
  const host = uri?.[1] ?? destination.slice(destination.lastIndexOf("@") + 1);
  return host.toLowerCase();
}
