import type { Command } from "commander";
import type { Context } from "../context.ts";
import { removeKey } from "../keys/remove-key.ts";
import { reportFailure } from "../report-failure.ts";
import { forgetSignIn, readSignIn, type SignInState } from "../state/sign-in-state.ts";
import { examples } from "./command.ts";

/** `sallyport logout` */
export function registerLogout(program: Command, context: Context): void {
  program
    .command("logout")
    .summary("remove your key and end the sign-in")
    .description(
      "Remove the key and its certificate from the ssh-agent and the disk, and end the sign-in at the control plane.",
    )
    .addHelpText("after", examples("sallyport logout"))
    .action(() => logout(context));
}

async function logout(context: Context): Promise<void> {
  const state = signInIfReadable(context);
  await removeKey(context);
  forgetSignIn(context);
  if (state === undefined) return void context.stderr.write("You were not signed in.\n");
  const { ControlPlane } = await import("../api/control-plane.ts");
  try {
    await new ControlPlane(state.server, state.apiToken).deleteToken();
  } catch (error) {
    // Here it is done; there the token ends by itself.
    reportFailure(context, error);
  }
  context.stderr.write("Signed out.\n");
}

function signInIfReadable(context: Context): SignInState | undefined {
  try {
    return readSignIn(context);
  } catch {
    return undefined;
  }
}
