import { SallyportError } from "@sallyport/core/errors.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import type { Context } from "../context.ts";
import { usableKey } from "../keys/usable-key.ts";
import type { KeyState } from "../state/key-state.ts";
import { takeTurn } from "../state/one-at-a-time.ts";
import { statePaths } from "../state/paths.ts";
import { readLastServer } from "../state/sign-in-state.ts";
import { openBrowser } from "./open-browser.ts";
import { BROWSER_TIMEOUT_MS, signIn } from "./sign-in.ts";

/**
 * Signs in on demand, with the last server and identity provider, and returns the key that came of it. Several at once
 * wait for the first and use what it brought. Codes: `not-signed-in` where no server is known, `forbidden` for somebody
 * who gets no certificate, and those of {@link signIn}.
 */
export async function signInAgain(context: Context): Promise<KeyState> {
  const last = readLastServer(context);
  if (last === undefined) {
    throw new SallyportError("not-signed-in", "You are not signed in; run: sallyport login --server URL");
  }
  const turn = await takeTurn(statePaths(context.home).turn, BROWSER_TIMEOUT_MS);
  try {
    const brought = turn.waited ? await usableKey(context) : undefined;
    if (brought !== undefined) return brought;
    await signIn(context, {
      server: last.server,
      ...(last.issuer === null ? {} : { issuer: last.issuer }),
      showAddress: (address) => {
        context.stderr.write(
          `sallyport: sign in to go on; if no browser opens, open ${printable(address, 8192)}\n`,
        );
        openBrowser(context, address);
      },
    });
    const key = await usableKey(context);
    if (key !== undefined) return key;
    throw new SallyportError(
      "forbidden",
      "You have no certificate: you are in no engagement that gives you SSH access.",
    );
  } finally {
    await turn.release();
  }
}
