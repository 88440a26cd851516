import { SallyportError } from "@sallyport/core/errors.ts";
import { ControlPlane } from "../api/control-plane.ts";
import type { Context } from "../context.ts";
import { requireSignIn, type SignInState } from "../state/sign-in-state.ts";

/** The control plane and the sign-in that opens it. Code `not-signed-in`. */
export function signedInApi(context: Context): { api: ControlPlane; state: SignInState } {
  const state = requireSignIn(context);
  return { api: new ControlPlane(state.server, state.apiToken), state };
}

/** Examples under a command's `--help`. */
export function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}`;
}

/** An option's value as a number of at least `least`. Code `usage`. */
export function numberOption(name: string, least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && Number.isFinite(value) && value >= least) return value;
    throw new SallyportError(
      "usage",
      `${name} takes a number of at least ${least}, not ${JSON.stringify(text)}.`,
    );
  };
}
