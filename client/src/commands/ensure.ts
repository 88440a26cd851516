import type { Context } from "../context.ts";
import { usableKey } from "../keys/usable-key.ts";

/**
 * `sallyport ensure --host NAME`, which `Match exec` calls before every ssh: 0 when there is a valid certificate, at
 * once; else signs in. Everything that only a sign-in needs is loaded only then. Standard output belongs to ssh's user,
 * so nothing is printed there.
 */
export async function ensure(args: readonly string[], context: Context): Promise<number> {
  try {
    if (await usableKey(context)) return 0;
    if (args.length !== 2 || args[0] !== "--host") {
      context.stderr.write("sallyport: ensure is called by ssh, as: sallyport ensure --host NAME\n");
      return 2;
    }
    const { signInAgain } = await import("../sign-in/sign-in-again.ts");
    await signInAgain(context);
    return 0;
  } catch (error) {
    const { reportFailure } = await import("../report-failure.ts");
    reportFailure(context, error);
    return 1;
  }
}
