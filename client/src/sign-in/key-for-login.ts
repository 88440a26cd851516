import type { Context } from "../context.ts";
import { isRenewable, renewalDue } from "../keys/renewal-due.ts";
import { usableKey } from "../keys/usable-key.ts";
import { type KeyState, readKeyState } from "../state/key-state.ts";
import { statePaths } from "../state/paths.ts";

/**
 * The key that an ssh needs now: the one at hand, renewed when it is time, else that of a new sign-in. What only renewing or
 * signing in needs is loaded only then. Throws as `renewKey` and `signInAgain` do.
 */
export async function keyForLogin(context: Context): Promise<KeyState> {
  const now = context.now() / 1000;
  const key = await usableKey(context);
  if (key !== undefined && !renewalDue(key, now)) return key;
  const held = key ?? readKeyState(statePaths(context.home).key);
  if (held !== undefined && isRenewable(held, now)) {
    const { renewKey } = await import("./renew.ts");
    const renewed = (await renewKey(context)) ?? (await usableKey(context));
    if (renewed !== undefined) return renewed;
  }
  const { signInAgain } = await import("./sign-in-again.ts");
  return await signInAgain(context);
}
