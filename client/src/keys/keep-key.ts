import { rmSync, symlinkSync } from "node:fs";
import { formatCertificateLine, parseCertificate } from "@sallyport/core/ssh/certificate.ts";
import { formatPublicKeyLine } from "@sallyport/core/ssh/public-key.ts";
import type { Context } from "../context.ts";
import { writeDurably } from "../state/durable-file.ts";
import { writeJsonFile } from "../state/json-file.ts";
import type { KeyState } from "../state/key-state.ts";
import { statePaths } from "../state/paths.ts";
import { type CertifiedKey, type Placement, placeKey } from "./place-key.ts";
import { removeKey } from "./remove-key.ts";
import { placeGrant, type RenewalGrant } from "./renewal-grant.ts";
import { MARGIN_SECONDS } from "./usable-key.ts";

/** A renewal begins when so much of a certificate's life is left. */
const RENEWAL_SHARE = 1 / 3;

/**
 * Puts a new key in the place of the old one. The ssh_config names the same three files whether or not the agent has
 * the key: a running ssh has read it already when a sign-in on demand replaces the key. `grant` is what renews its
 * certificate, if anything does.
 */
export async function keepKey(
  key: CertifiedKey,
  grant: RenewalGrant | undefined,
  context: Pick<Context, "env" | "uid" | "home" | "now">,
): Promise<Placement> {
  const paths = statePaths(context.home);
  await removeKey(context);
  const placement = await placeKey(key, context);
  const { publicKey } = parseCertificate(key.certificate);
  writeDurably(paths.publicKey, `${formatPublicKeyLine(publicKey, key.comment)}\n`);
  rmSync(paths.identity, { force: true });
  if (placement.file !== null) symlinkSync(placement.file, paths.identity);
  const file = grant && placeGrant(grant, context);
  const held = { ...placement, publicKey: Buffer.from(publicKey.blob).toString("base64") };
  const renewal = grant === undefined || file === undefined ? null : { file, until: grant.until };
  keepCertificate({ ...held, renewal }, key.certificate, key.comment, context);
  return placement;
}

/** Puts a certificate beside the key that it is for: the first one, or one that was renewed. */
export function keepCertificate(
  held: Pick<KeyState, "placement" | "file" | "publicKey"> & {
    renewal: Pick<NonNullable<KeyState["renewal"]>, "file" | "until"> | null;
  },
  blob: Uint8Array,
  comment: string,
  context: Pick<Context, "home" | "now">,
): KeyState {
  const paths = statePaths(context.home);
  const { placement, file, publicKey, renewal } = held;
  const { validAfter, validBefore } = parseCertificate(blob);
  writeDurably(paths.certificate, `${formatCertificateLine(blob, comment)}\n`);
  const from = Math.floor(validBefore - Math.max(0, validBefore - context.now() / 1000) * RENEWAL_SHARE);
  const state: KeyState = {
    v: 1,
    ...{ placement, file, publicKey, validAfter, validBefore },
    certificate: Buffer.from(blob).toString("base64"),
    renewal: renewal === null ? null : { file: renewal.file, until: renewal.until, from },
  };
  keepState(state, context);
  return state;
}

/** Keeps what is known of the key; until its certificate has to be looked after again, `ensure.sh` answers by itself. */
export function keepState(state: KeyState, context: Pick<Context, "home">): void {
  const paths = statePaths(context.home);
  writeJsonFile(paths.key, state);
  const until = Math.min(state.validBefore - MARGIN_SECONDS, state.renewal?.from ?? Number.MAX_SAFE_INTEGER);
  writeDurably(paths.validUntil, `${until}\n`);
}
