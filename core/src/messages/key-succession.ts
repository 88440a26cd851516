import { z } from "zod";
import { canonicalJson } from "../canonical-json.ts";
import { SallyportError } from "../errors.ts";
import {
  fingerprint,
  formatPublicKeyLine,
  parsePublicKeyLine,
  type SshPublicKey,
} from "../ssh/public-key.ts";
import { verifySsh } from "../ssh/signature.ts";
import type { Signer } from "../ssh/signer.ts";

/*
 * How a key that hosts pin is followed by another. The old key itself names its successor, and the successor says when the
 * old one is over: whoever is without the pinned key can do neither. A statement holds for every host of one control plane.
 */

/** What a key is for. */
export const KeyKind = z.enum(["user-ca", "host-ca", "policy"]);
export type KeyKind = z.infer<typeof KeyKind>;

/** A public key as OpenSSH writes it, without a comment, so that there is one way to write each. */
const KeyLine = z
  .string()
  .max(4096)
  .regex(/^[a-z0-9@.-]+ [A-Za-z0-9+/=]+$/);
/** Base64 of an SSH signature blob. */
const Signature = z
  .string()
  .max(4096)
  .regex(/^[A-Za-z0-9+/=]+$/);
const common = {
  v: z.literal(1),
  /** URL of the control plane, as hosts pin it. */
  controlPlane: z
    .url()
    .max(500)
    // Half a surrogate pair has no canonical JSON to sign.
    .refine((url) => url.isWellFormed(), "not Unicode"),
  kind: KeyKind,
  old: KeyLine,
  new: KeyLine,
  /** When it was signed, in seconds since the epoch. */
  at: z.int().min(0),
  signature: Signature,
};

/** `old` says: trust `new` as well. Signed by `old`. */
export const KeySuccession = z.strictObject({ type: z.literal("succession"), ...common });
/** `new` says: trust `old` no longer. Signed by `new`. */
export const KeyRetirement = z.strictObject({ type: z.literal("retirement"), ...common });
export const KeyStatement = z.discriminatedUnion("type", [KeySuccession, KeyRetirement]);
export type KeyStatement = z.infer<typeof KeyStatement>;

/** Nothing else that these keys sign begins like this: a certificate with a length, a JWS with base64url. */
const CONTEXT = "sallyport-key-statement-v1\0";

/** Signs a statement with the key whose word it is. */
export async function signKeyStatement(
  statement: { type: KeyStatement["type"]; controlPlane: string; kind: KeyKind; at: number },
  keys: { old: SshPublicKey; new: SshPublicKey; signer: Signer },
): Promise<KeyStatement> {
  const content = {
    v: 1 as const,
    ...statement,
    old: formatPublicKeyLine(keys.old),
    new: formatPublicKeyLine(keys.new),
  };
  const signature = await keys.signer.sign(bytesToSign(content));
  return KeyStatement.parse({ ...content, signature: Buffer.from(signature).toString("base64") });
}

/**
 * The two keys of a statement whose signature holds; whether the key that signed is one to believe is for the caller to
 * say. Codes `ssh-bad-signature`, `ssh-malformed`, `ssh-unsupported`.
 */
export function verifyKeyStatement(statement: KeyStatement): { old: SshPublicKey; new: SshPublicKey } {
  const { signature, ...content } = statement;
  const keys = { old: parsePublicKeyLine(statement.old), new: parsePublicKeyLine(statement.new) };
  if (formatPublicKeyLine(keys.old) === formatPublicKeyLine(keys.new))
    throw new SallyportError("ssh-malformed", "A key cannot follow itself.");
  const signer = statement.type === "succession" ? keys.old : keys.new;
  verifySsh(signer, bytesToSign(content), Buffer.from(signature, "base64"));
  return keys;
}

/** What a statement's keys are called where people read it. */
export function keyName(line: string): string {
  return fingerprint(parsePublicKeyLine(line).blob);
}

function bytesToSign(content: Omit<KeyStatement, "signature">): Uint8Array {
  return Buffer.from(`${CONTEXT}${canonicalJson(content)}`);
}
