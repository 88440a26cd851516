import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { type IdTokenContext, verifyIdToken } from "@sallyport/core/admission/id-token.ts";
import { type TrustedIssuer, TrustedIssuer as TrustedIssuerSchema } from "@sallyport/core/messages/trust.ts";
import { RefusedError } from "@sallyport/core/policy/refusal.ts";
import { CompactSign, type JSONWebKeySet, type JWK } from "jose";

/** Seconds since the epoch. */
export const NOW = Date.UTC(2026, 9, 14, 10) / 1000;
export const ISSUER = "https://idp.example/tenant-a";
export const CLIENT = "sallyport-cli";

type Keys = { privateKey: KeyObject; publicKey: KeyObject };
export const rsa: Keys = generateKeyPairSync("rsa", { modulusLength: 2048 });
export const ec: Keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
export const stranger: Keys = generateKeyPairSync("ec", { namedCurve: "P-256" });

export function publicJwk(key: KeyObject, members: JWK): JWK {
  return { ...key.export({ format: "jwk" }), ...members } as JWK;
}

/** What the host has cached of the IdP. */
export const KEYS: JSONWebKeySet = {
  keys: [
    publicJwk(ec.publicKey, { kid: "ec-1", alg: "ES256", use: "sig" }),
    publicJwk(rsa.publicKey, { kid: "rsa-1", use: "sig" }),
  ],
};

export const TRUSTED: TrustedIssuer = TrustedIssuerSchema.parse({
  issuer: ISSUER,
  clientIds: [CLIENT, "sallyport-cli-2"],
  algorithms: ["ES256", "RS256"],
  maxTokenAge: 3600,
  mfa: {
    acr: { "urn:strong": "phishing-resistant" },
    amr: { mfa: "mfa", otp: "mfa", hwk: "phishing-resistant" },
  },
});

export function makeContext(changes: Partial<IdTokenContext> = {}): IdTokenContext {
  return {
    issuers: [TRUSTED],
    keys: (issuer) => (issuer === ISSUER ? KEYS : undefined),
    now: NOW,
    ...changes,
  };
}

export const CLAIMS = {
  iss: ISSUER,
  sub: "alice",
  aud: CLIENT,
  exp: NOW + 300,
  iat: NOW - 10,
  auth_time: NOW - 60,
  nonce: "n",
  amr: ["pwd", "otp"],
};
export const HEADER = { alg: "ES256", kid: "ec-1", typ: "JWT" };

/** A token with these claims, signed by the IdP; a member that is undefined is left out. Text is signed as it is. */
export function makeToken(
  claims: Record<string, unknown> | string = {},
  header: Record<string, unknown> = {},
  key: KeyObject | Uint8Array = ec.privateKey,
): Promise<string> {
  const text = typeof claims === "string" ? claims : JSON.stringify({ ...CLAIMS, ...claims });
  return new CompactSign(Buffer.from(text))
    .setProtectedHeader({ ...HEADER, ...header } as { alg: string })
    .sign(key);
}

/** One part of a token as it is, without any library's opinion of it. */
export function encode(value: unknown): string {
  return Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
}

/** The code of the refusal, or "verified". Any other error is passed on. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "verified";
  } catch (error) {
    if (error instanceof RefusedError) return error.refusal.code;
    throw error;
  }
}

export async function verdict(token: string | Promise<string>, context = makeContext()): Promise<string> {
  return codeOf(verifyIdToken(await token, context));
}
