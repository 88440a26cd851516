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
import { MARGIN_SECONDS } from "./usable-key.ts";

/**
 * Puts a new key in the place of the old one. The ssh_config names the same three files whether or not the agent has
 * the key: a running ssh has read it already when a sign-in on demand replaces the key.
 */
export async function keepKey(
  key: CertifiedKey,
  context: Pick<Context, "env" | "uid" | "home">,
): Promise<Placement> {
  const paths = statePaths(context.home);
  await removeKey(context);
  const placement = await placeKey(key, context);
  const certificate = parseCertificate(key.certificate);
  writeDurably(paths.publicKey, `${formatPublicKeyLine(certificate.publicKey, key.comment)}\n`);
  writeDurably(paths.certificate, `${formatCertificateLine(key.certificate, key.comment)}\n`);
  rmSync(paths.identity, { force: true });
  if (placement.file !== null) symlinkSync(placement.file, paths.identity);
  const state: KeyState = {
    v: 1,
    ...placement,
    certificate: Buffer.from(key.certificate).toString("base64"),
    validAfter: certificate.validAfter,
    validBefore: certificate.validBefore,
  };
  writeJsonFile(paths.key, state);
  writeDurably(paths.validUntil, `${certificate.validBefore - MARGIN_SECONDS}\n`);
  return placement;
}
