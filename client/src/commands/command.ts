import { SallyportError } from "@sallyport/core/errors.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import type { Command } from "commander";
import { ControlPlane } from "../api/control-plane.ts";
import { parseServerUrl } from "../api/server-url.ts";
import type { Context } from "../context.ts";
import { requireSignIn, type SignInState } from "../state/sign-in-state.ts";

/**
 * The control plane and the sign-in that opens it, or the token that stands in for one: then there is no `state`. Codes
 * `not-signed-in`, `usage`.
 */
export function signedInApi(context: Context): { api: ControlPlane; readonly state: SignInState } {
  if (context.apiToken !== undefined) return withToken(context, context.apiToken);
  const state = requireSignIn(context);
  return { api: new ControlPlane(state.server, state.apiToken), state };
}

/** The server is named with the token: one that was signed in to before need not be whose token it is. */
function withToken(context: Context, token: string): ReturnType<typeof signedInApi> {
  const server = context.env.SALLYPORT_SERVER;
  if (server === undefined || server === "")
    throw new SallyportError(
      "usage",
      "SALLYPORT_TOKEN is set: set SALLYPORT_SERVER to the URL that it is for.",
    );
  return {
    api: new ControlPlane(parseServerUrl(server), token),
    get state() {
      return requireSignIn(context);
    },
  };
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

/**
 * Has the command that a group of commands runs by default refuse a name given to the group: code `usage`, with what to call
 * instead, in which NAME stands for that name.
 */
export function refuseNames(byDefault: Command, instead: string): Command {
  return byDefault.allowExcessArguments().hook("preAction", ({ args, parent }) => {
    const [name] = args;
    if (name === undefined) return;
    // What a shell would not take as one plain word is not put into a line that people copy.
    const word = /^[\w.@:+-]{1,255}$/.test(name) ? name : "NAME";
    throw new SallyportError(
      "usage",
      `${JSON.stringify(printable(name, 100))} is no command of sallyport ${parent?.name()}. ${instead.replaceAll("NAME", word)}`,
    );
  });
}
