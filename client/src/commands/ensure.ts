import type { Context } from "../context.ts";
import { keyForLogin } from "../sign-in/key-for-login.ts";

/**
 * `sallyport ensure --host NAME`, which `Match exec` calls before every ssh: 0 when there is a valid certificate, at
 * once; else renews it or signs in. Everything that only those need is loaded only then. Standard output belongs to ssh's user,
 * so nothing is printed there.
 */
export async function ensure(args: readonly string[], context: Context): Promise<number> {
  try {
    if (args.length !== 2 || args[0] !== "--host") {
      context.stderr.write("sallyport: ensure is called by ssh, as: sallyport ensure --host NAME\n");
      return 2;
    }
    await keyForLogin(context);
    return 0;
  } catch (error) {
    const { reportFailure } = await import("../report-failure.ts");
    reportFailure(context, error);
    return 1;
  }
}
