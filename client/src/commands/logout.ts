import { fingerprint } from "@sallyport/core/ssh/public-key.ts";
import type { Command } from "commander";
import type { Context } from "../context.ts";
import { removeKey } from "../keys/remove-key.ts";
import { isOwn, type OwnGrant, readGrant } from "../keys/renewal-grant.ts";
import { reportFailure } from "../report-failure.ts";
import { readKeyState } from "../state/key-state.ts";
import { statePaths } from "../state/paths.ts";
import { forgetSignIn, readSignIn, type SignInState } from "../state/sign-in-state.ts";
import { examples } from "./command.ts";

/** Longest time for telling the identity provider. */
const PATIENCE_MS = 5000;

/** `sallyport logout` */
export function registerLogout(program: Command, context: Context): void {
  program
    .command("logout")
    .summary("remove your key and end the sign-in")
    .description(
      "Remove the key and its certificate from the ssh-agent and the disk, and end the sign-in at the control plane and, where it is renewed, at the identity provider.",
    )
    .addHelpText("after", examples("sallyport logout"))
    .action(() => logout(context));
}

async function logout(context: Context): Promise<void> {
  const state = signInIfReadable(context);
  const key = readKeyState(statePaths(context.home).key);
  const grant = key && readGrant(key);
  await removeKey(context);
  forgetSignIn(context);
  if (state === undefined) return void context.stderr.write("You were not signed in.\n");
  if (grant !== undefined && isOwn(grant)) await endAtProvider(context, grant);
  const { ControlPlane } = await import("../api/control-plane.ts");
  try {
    // What it keeps of this sign-in goes with the token; the key says which of several machines is meant.
    const signedOut = key && fingerprint(Buffer.from(key.publicKey, "base64"));
    await new ControlPlane(state.server, state.apiToken).deleteToken(signedOut);
  } catch (error) {
    // Here it is done; there the token ends by itself.
    reportFailure(context, error);
  }
  context.stderr.write("Signed out.\n");
}

async function endAtProvider(context: Context, grant: OwnGrant): Promise<void> {
  const { revokeGrant } = await import("../sign-in/refresh.ts");
  try {
    await revokeGrant(grant, AbortSignal.timeout(PATIENCE_MS));
  } catch {
    context.stderr.write(
      "The identity provider could not be told; its refresh token is gone from this machine, and ends there by itself.\n",
    );
  }
}

function signInIfReadable(context: Context): SignInState | undefined {
  try {
    return readSignIn(context);
  } catch {
    return undefined;
  }
}
