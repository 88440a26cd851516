import { rmSync } from "node:fs";
import { Assurance } from "@sallyport/core/admission/assurance.ts";
import { SallyportError } from "@sallyport/core/errors.ts";
import { Me, ReachableHost } from "@sallyport/core/messages/client-api.ts";
import { EpochSeconds } from "@sallyport/core/names.ts";
import { z } from "zod";
import { type Context, nowSeconds } from "../context.ts";
import { readJsonFile, writeJsonFile } from "./json-file.ts";
import { statePaths } from "./paths.ts";

/** `server.json`: where to sign in again, on demand. */
const LastServer = z.strictObject({ v: z.literal(1), server: z.url(), issuer: z.string().nullable() });
export type LastServer = z.infer<typeof LastServer>;

/** `sign-in.json`: what the control plane gave at the last sign-in. No token of the IdP is ever in it. */
const SignInState = z.strictObject({
  v: z.literal(1),
  server: z.url(),
  apiToken: z.string().max(4096),
  apiTokenExpiresAt: EpochSeconds,
  certificate: z
    .strictObject({
      serial: z.string(),
      validAfter: EpochSeconds,
      validBefore: EpochSeconds,
      assurance: Assurance.optional(),
    })
    .nullable(),
  me: Me,
  /** Hosts of engagements that have ended since: they stay in the ssh_config, so that the host can say why. */
  formerHosts: z.array(ReachableHost),
  /** Who signs the hosts' keys: key lines without comment. */
  hostCaKeys: z.array(z.string()),
});
export type SignInState = z.infer<typeof SignInState>;

/** The server that was last signed in to, if any. */
export function readLastServer(context: Pick<Context, "home">): LastServer | undefined {
  return readJsonFile(statePaths(context.home).server, LastServer);
}

/** Remembers the server for the next sign-in. */
export function writeLastServer(context: Pick<Context, "home">, value: LastServer): void {
  writeJsonFile(statePaths(context.home).server, value);
}

/** The last sign-in, even when it has expired. */
export function readSignIn(context: Pick<Context, "home">): SignInState | undefined {
  return readJsonFile(statePaths(context.home).signIn, SignInState);
}

/** Keeps a sign-in. */
export function writeSignIn(context: Pick<Context, "home">, value: SignInState): void {
  writeJsonFile(statePaths(context.home).signIn, value);
}

/** The same sign-in with what the control plane says of the person now. */
export function withMe(state: SignInState, me: Me): SignInState {
  return { ...state, me, formerHosts: formerHosts(state, me) };
}

/** Hosts that `previous` had, that `me` reaches no more, and that one of the person's engagements still names. */
export function formerHosts(
  previous: Pick<SignInState, "me" | "formerHosts"> | undefined,
  me: Me,
): ReachableHost[] {
  if (previous === undefined) return [];
  const reached = new Set(me.hosts.map((host) => host.name));
  const named = new Set(me.engagements.flatMap((each) => each.hosts));
  return [...previous.me.hosts, ...previous.formerHosts].filter(
    (host) => !reached.has(host.name) && named.has(host.name),
  );
}

/** Forgets the sign-in; the server stays known. */
export function forgetSignIn(context: Pick<Context, "home">): void {
  rmSync(statePaths(context.home).signIn, { force: true });
}

/** The sign-in, if it still opens the API. Code `not-signed-in`, with what to do. */
export function requireSignIn(context: Pick<Context, "home" | "now">): SignInState {
  const state = readSignIn(context);
  if (state !== undefined && state.apiTokenExpiresAt > nowSeconds(context)) return state;
  const server = state?.server ?? readLastServer(context)?.server;
  const what = state === undefined ? "You are not signed in" : "Your sign-in has expired";
  throw new SallyportError(
    "not-signed-in",
    server === undefined ? `${what}; run: sallyport login --server URL` : `${what}; run: sallyport login`,
  );
}
