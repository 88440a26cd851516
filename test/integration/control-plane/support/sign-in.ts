import * as oidc from "openid-client";
import { REDIRECT_URI } from "./identity-provider.ts";

/** Signs in by the authorization code flow with PKCE, as the command line does, and returns the ID token. */
export async function signInAtIdp(
  issuer: string,
  sub: string,
  nonce: string,
  clientId = "sallyport-cli",
): Promise<string> {
  const config = await oidc.discovery(new URL(issuer), clientId, undefined, oidc.None(), {
    execute: [oidc.allowInsecureRequests],
  });
  const verifier = oidc.randomPKCECodeVerifier();
  const start = oidc.buildAuthorizationUrl(config, {
    redirect_uri: REDIRECT_URI,
    scope: "openid email profile",
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    nonce,
    login_hint: sub,
  });
  const callback = await followRedirects(start);
  const tokens = await oidc.authorizationCodeGrant(config, callback, {
    pkceCodeVerifier: verifier,
    expectedNonce: nonce,
  });
  if (tokens.id_token === undefined) throw new Error("the IdP sent no ID token");
  return tokens.id_token;
}

/** A browser, as far as it is needed: follows redirects and keeps cookies until the redirect URI is reached. */
async function followRedirects(start: URL): Promise<URL> {
  const cookies = new Map<string, string>();
  let at = start;
  for (let hop = 0; hop < 20; hop++) {
    if (at.href.startsWith(REDIRECT_URI)) return at;
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await fetch(at, { redirect: "manual", headers: { cookie } });
    for (const line of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      cookies.set(name, value);
    }
    const location = response.headers.get("location");
    if (location === null) throw new Error(`the IdP answered ${response.status}: ${await response.text()}`);
    await response.arrayBuffer();
    at = new URL(location, at);
  }
  throw new Error("too many redirects");
}
