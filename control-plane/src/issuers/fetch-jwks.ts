import type { JSONWebKeySet } from "jose";
import { allowInsecureRequests, discovery, None } from "openid-client";
import { z } from "zod";

const MAX_JWKS = 512 * 1024;
const TIMEOUT_S = 5;

const Jwks = z.object({ keys: z.array(z.looseObject({ kty: z.string() })).max(200) });

/** The signing keys that an IdP publishes: OpenID discovery, then its `jwks_uri`. Plain HTTP only on this machine. */
export async function fetchJwks(issuer: string, clientId: string): Promise<JSONWebKeySet> {
  const plain = new URL(issuer).protocol === "http:";
  const configuration = await discovery(new URL(issuer), clientId, undefined, None(), {
    timeout: TIMEOUT_S,
    ...(plain ? { execute: [allowInsecureRequests] } : {}),
  });
  const metadata = configuration.serverMetadata();
  if (metadata.issuer !== issuer)
    throw new Error(`the discovery document is of another issuer, ${metadata.issuer}`);
  if (metadata.jwks_uri === undefined) throw new Error("the discovery document has no jwks_uri");
  const uri = new URL(metadata.jwks_uri);
  if (uri.protocol !== "https:" && !plain) throw new Error("the jwks_uri is not https");
  return fetchKeySet(uri);
}

/** The keys at this address, which the caller has judged safe. */
export async function fetchKeySet(uri: URL): Promise<JSONWebKeySet> {
  const response = await fetch(uri, { signal: AbortSignal.timeout(TIMEOUT_S * 1000), redirect: "error" });
  if (!response.ok) throw new Error(`the jwks_uri answered ${response.status}`);
  return Jwks.parse(JSON.parse(await limitedText(response)));
}

async function limitedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > MAX_JWKS) throw new Error(`the jwks_uri sent more than ${MAX_JWKS} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
