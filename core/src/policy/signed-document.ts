import { createPublicKey, KeyObject } from "node:crypto";
import { compactVerify, decodeProtectedHeader } from "jose";
import type { z } from "zod";
import { SallyportError } from "../errors.ts";
import type { Trust } from "../messages/trust.ts";
import { keySigner, type Signer, signEd25519 } from "../ssh/signer.ts";
import { printable } from "../terminal-text.ts";
import { Bundle, Lease } from "./bundle.ts";

/** The `typ` of each signed document, so that one can never pass for another. */
export type DocumentType = "sallyport-bundle" | "sallyport-lease";

/**
 * Signs a bundle or a lease with a policy key: compact JWS (RFC 7515), EdDSA (RFC 8037), `typ` and `kid` in its header.
 * The key may be elsewhere: rejects as its signer does.
 */
export async function signDocument(
  payload: Bundle | Lease,
  typ: DocumentType,
  kid: string,
  policyKey: Signer | KeyObject,
): Promise<string> {
  const signer = policyKey instanceof KeyObject ? keySigner(policyKey) : policyKey;
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const input = `${part({ alg: "EdDSA", typ, kid })}.${part(payload)}`;
  const signature = await signEd25519(signer, Buffer.from(input));
  return `${input}.${Buffer.from(signature).toString("base64url")}`;
}

/** Verifies a bundle against the pinned policy keys. Code `bundle-bad-signature`. */
export function verifyBundle(jws: string, policyKeys: Trust["policyKeys"]): Promise<Bundle> {
  return verifyDocument(jws, "sallyport-bundle", policyKeys, Bundle);
}

/** Verifies a lease against the pinned policy keys. Code `bundle-bad-signature`. */
export function verifyLease(jws: string, policyKeys: Trust["policyKeys"]): Promise<Lease> {
  return verifyDocument(jws, "sallyport-lease", policyKeys, Lease);
}

async function verifyDocument<T>(
  jws: string,
  typ: DocumentType,
  policyKeys: Trust["policyKeys"],
  schema: z.ZodType<T>,
): Promise<T> {
  try {
    const header = decodeProtectedHeader(jws);
    if (header.typ !== typ) throw new Error(`typ is ${String(header.typ)}`);
    const jwk = policyKeys.find((key) => key.kid === header.kid);
    if (jwk === undefined) throw new Error("the key is not pinned");
    const key = createPublicKey({ key: { kty: jwk.kty, crv: jwk.crv, x: jwk.x }, format: "jwk" });
    const { payload } = await compactVerify(jws, key, { algorithms: ["EdDSA"] });
    return schema.parse(JSON.parse(Buffer.from(payload).toString("utf8")));
  } catch (cause) {
    const reason = printable(cause instanceof Error ? cause.message : String(cause), 300);
    throw new SallyportError(
      "bundle-bad-signature",
      `The ${typ} is not one that a pinned policy key signed: ${reason}.`,
      { cause },
    );
  }
}
