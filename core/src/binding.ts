import { createHash } from "node:crypto";
import { z } from "zod";
import { canonicalJson } from "./canonical-json.ts";
import { SallyportError } from "./errors.ts";

const Base64Url = z.string().regex(/^[A-Za-z0-9_-]+$/);

/** RFC 7638 required members of the SSH key, and nothing else. */
export const SshJwk = z.union([
  z.strictObject({ kty: z.literal("OKP"), crv: z.literal("Ed25519"), x: Base64Url.max(43) }),
  z.strictObject({
    kty: z.literal("EC"),
    crv: z.enum(["P-256", "P-384", "P-521"]),
    x: Base64Url.max(88),
    y: Base64Url.max(88),
  }),
  z.strictObject({ kty: z.literal("RSA"), n: Base64Url.max(2732), e: Base64Url.max(16) }),
]);
export type SshJwk = z.infer<typeof SshJwk>;

/**
 * What a sign-in commits to: this very SSH key (`upk`), and 256 random bits (`rz`) so that the nonce tells an IdP
 * nothing. DESIGN, "Key binding".
 */
export const Binding = z.strictObject({
  v: z.literal(1),
  typ: z.literal("sallyport-ssh-binding"),
  alg: z.literal("SHA-256"),
  upk: SshJwk,
  rz: Base64Url.length(43),
});
export type Binding = z.infer<typeof Binding>;

const NONCE_CONTEXT = "sallyport-ssh-v1\0";
const PROOF_CONTEXT = "sallyport-ssh-proof-v1\0";
const RENEWAL_CONTEXT = "sallyport-ssh-renewal-v1\0";

/** Makes a binding for a key; `random` is 32 fresh random bytes. */
export function makeBinding(upk: SshJwk, random: Uint8Array): Binding {
  if (random.length !== 32) throw new TypeError("a binding needs 32 random bytes");
  return {
    v: 1,
    typ: "sallyport-ssh-binding",
    alg: "SHA-256",
    upk,
    rz: Buffer.from(random).toString("base64url"),
  };
}

/** The OIDC `nonce` that commits to a binding: base64url(SHA-256("sallyport-ssh-v1\0" || JCS(C))). */
export function bindingNonce(binding: Binding): string {
  return createHash("sha256").update(NONCE_CONTEXT).update(canonicalJson(binding)).digest("base64url");
}

/** Reads a binding from the JSON text in a certificate or a request; at most 8 KiB. Code `binding-invalid`. */
export function parseBinding(text: string): Binding {
  if (text.length > 8192)
    throw new SallyportError("binding-invalid", "The key binding is longer than 8 KiB.");
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new SallyportError("binding-invalid", "The key binding is not JSON.", { cause });
  }
  const result = Binding.safeParse(json);
  if (!result.success) {
    throw new SallyportError("binding-invalid", "The key binding has the wrong shape.", {
      cause: result.error,
    });
  }
  return result.data;
}

/**
 * The bytes that the client signs with its SSH key to prove possession at issuance: the binding, the hash of the ID
 * token and the control plane's challenge, in canonical JSON behind a context string.
 */
export function proofOfPossession(binding: Binding, idToken: string, challenge: string): Uint8Array {
  return Buffer.from(PROOF_CONTEXT + canonicalJson({ binding, idTokenHash: hashOf(idToken), challenge }));
}

/** The same at renewal, with the hash of the fresh ID token as well, or null where the control plane asks for that. Its context keeps the two apart. */
export function proofForRenewal(
  binding: Binding,
  tokens: { idToken: string; freshIdToken?: string | undefined },
  challenge: string,
): Uint8Array {
  const idTokenHash = hashOf(tokens.idToken);
  const freshIdTokenHash = tokens.freshIdToken === undefined ? null : hashOf(tokens.freshIdToken);
  return Buffer.from(RENEWAL_CONTEXT + canonicalJson({ binding, idTokenHash, freshIdTokenHash, challenge }));
}

function hashOf(token: string): string {
  return createHash("sha256").update(token).digest("base64url");
}
