import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";

/** The IdP's signing key: made at each start, so that nothing outlives the demo. */
export type SigningKey = { kid: string; privateKey: KeyObject };

export function makeSigningKey(): SigningKey {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { kid: randomBytes(8).toString("hex"), privateKey };
}

/** The key as the JWK that oidc-provider is configured with. */
export function toPrivateJwk(key: SigningKey) {
  return { ...key.privateKey.export({ format: "jwk" }), kid: key.kid, use: "sig", alg: "RS256" };
}

/**
 * Signs any claims as an ID token of this IdP (RS256, its published key). For tests that need a token the real
 * flow would not give: expired, issued in the future, without a claim, with other members in its header.
 */
export function signIdToken(
  key: SigningKey,
  claims: Record<string, unknown>,
  header: Record<string, unknown> = {},
): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${part({ alg: "RS256", typ: "JWT", kid: key.kid, ...header })}.${part(claims)}`;
  return `${signed}.${sign("sha256", Buffer.from(signed), key.privateKey).toString("base64url")}`;
}
