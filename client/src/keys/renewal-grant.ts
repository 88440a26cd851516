import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Binding } from "@sallyport/core/binding.ts";
import { ClientConfiguration } from "@sallyport/core/messages/client-api.ts";
import { EpochSeconds } from "@sallyport/core/names.ts";
import { z } from "zod";
import type { Context } from "../context.ts";
import { writeDurably } from "../state/durable-file.ts";
import type { KeyState } from "../state/key-state.ts";
import { keyDirectories, makePrivateDirectory } from "./private-directory.ts";

const SignIn = z.strictObject({
  v: z.literal(1),
  server: z.url(),
  issuer: ClientConfiguration.shape.issuers.element,
  /** The ID token and the binding of the sign-in, which every renewed certificate carries. */
  idToken: z.string().max(20_000),
  binding: Binding,
  /** Until when the control plane renews; seconds since the epoch. */
  until: EpochSeconds,
});

/**
 * A refresh token that is kept here: it is worth as much as the private key, and lies where that would, in a file in memory that
 * only its owner reads. It goes to the identity provider and nowhere else.
 */
const OwnGrant = SignIn.extend({
  refreshToken: z.string().min(1).max(20_000),
  /**
   * A refresh was begun and its answer not kept: by a crash, or because none came. The provider may have used the token up
   * then, and its refusal says nothing of the person.
   */
  inDoubt: z.boolean(),
});
export type OwnGrant = z.infer<typeof OwnGrant>;

/** One that the control plane keeps: nothing secret is left here. */
const HandedOverGrant = SignIn.extend({ keeper: z.literal("control-plane") });

/** What renews a certificate without its holder. */
const RenewalGrant = z.union([OwnGrant, HandedOverGrant]);
export type RenewalGrant = z.infer<typeof RenewalGrant>;

/** True for a grant whose refresh token is here. */
export function isOwn(grant: RenewalGrant): grant is OwnGrant {
  return "refreshToken" in grant;
}

/** Keeps a grant where a private key may lie; undefined where there is no such place. Returns the file. */
export function placeGrant(
  grant: RenewalGrant,
  context: Pick<Context, "env" | "uid" | "home">,
): string | undefined {
  for (const parts of keyDirectories(context.env, context.uid, context.home)) {
    const directory = makePrivateDirectory(parts, context.uid);
    if (directory === undefined) continue;
    const file = join(directory, "renewal.json");
    writeGrant(file, grant);
    return file;
  }
  return undefined;
}

/** Replaces a grant; it is kept when this returns. */
export function writeGrant(file: string, grant: RenewalGrant): void {
  writeDurably(file, JSON.stringify(grant));
}

/** The grant of a key; undefined where there is none, or none that can be read: then sign in again. */
export function readGrant(key: Pick<KeyState, "renewal">): RenewalGrant | undefined {
  if (key.renewal === null) return undefined;
  try {
    return RenewalGrant.parse(JSON.parse(readFileSync(key.renewal.file, "utf8")));
  } catch {
    return undefined;
  }
}

/** Forgets a grant. */
export function removeGrant(key: Pick<KeyState, "renewal">): void {
  if (key.renewal !== null) rmSync(key.renewal.file, { force: true });
}
