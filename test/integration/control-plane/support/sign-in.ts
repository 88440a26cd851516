import * as oidc from "openid-client";
import { REDIRECT_URI } from "./identity-provider.ts";

/** What the IdP gives for a sign-in, or for a refresh token. */
export interface Tokens {
  idToken: string;
  refreshToken: string;
}

/** Signs in by the authorization code flow with PKCE, as the command line does, and returns the ID token. */
export async function signInAtIdp(
  issuer: string,
  sub: string,
  nonce: string,
  clientId = "sallyport-cli",
  browser: Browser = new Map(),
): Promise<string> {
  return (await tokensAtIdp(issuer, sub, nonce, clientId, browser)).idToken;
}

/** Trades a refresh token for fresh tokens. */
export async function refreshAtIdp(issuer: string, refreshToken: string): Promise<Tokens> {
  const config = await discover(issuer, "sallyport-cli");
  return tokensOf(await oidc.refreshTokenGrant(config, refreshToken));
}

/** The same sign-in, with the refresh token. */
export async function tokensAtIdp(
  issuer: string,
  sub: string,
  nonce: string,
  clientId = "sallyport-cli",
  browser: Browser = new Map(),
): Promise<Tokens> {
  const config = await discover(issuer, clientId);
  const verifier = oidc.randomPKCECodeVerifier();
  const start = oidc.buildAuthorizationUrl(config, {
    redirect_uri: REDIRECT_URI,
    scope: "openid email profile",
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    nonce,
    login_hint: sub,
  });
  const callback = await followRedirects(start, browser);
  const checks = { pkceCodeVerifier: verifier, expectedNonce: nonce };
  return tokensOf(await oidc.authorizationCodeGrant(config, callback, checks));
}

function discover(issuer: string, clientId: string): Promise<oidc.Configuration> {
  const execute = [oidc.allowInsecureRequests];
  return oidc.discovery(new URL(issuer), clientId, undefined, oidc.None(), { execute });
}

function tokensOf(tokens: oidc.TokenEndpointResponse): Tokens {
  if (tokens.id_token === undefined) throw new Error("the IdP sent no ID token");
  return { idToken: tokens.id_token, refreshToken: tokens.refresh_token ?? "" };
}

/** The cookies of a browser at the IdP. */
export type Browser = Map<string, string>;

/** Signs out at the IdP in this browser, as a person does who presses "yes, sign me out". */
export async function signOutAtIdp(issuer: string, browser: Browser): Promise<void> {
  const asked = await visit(new URL("/session/end", issuer), browser);
  const [, xsrf = ""] = /name="xsrf" value="([^"]+)"/.exec(await asked.text()) ?? [];
  const body = new URLSearchParams({ xsrf, logout: "yes" });
  const done = await visit(new URL("/session/end/confirm", issuer), browser, { method: "POST", body });
  if (done.status >= 400) throw new Error(`the IdP answered ${done.status}: ${await done.text()}`);
}

async function visit(at: URL, cookies: Browser, init: RequestInit = {}): Promise<Response> {
  const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
  const response = await fetch(at, { ...init, redirect: "manual", headers: { cookie } });
  for (const line of response.headers.getSetCookie()) {
    const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
    cookies.set(name, value);
  }
  return response;
}

/** A browser, as far as it is needed: follows redirects and keeps cookies until the redirect URI is reached. */
export async function followRedirects(start: URL, cookies: Browser = new Map()): Promise<URL> {
  let at = start;
  for (let hop = 0; hop < 20; hop++) {
    if (at.href.startsWith(REDIRECT_URI)) return at;
    const response = await visit(at, cookies);
    const location = response.headers.get("location");
    if (location === null) throw new Error(`the IdP answered ${response.status}: ${await response.text()}`);
    await response.arrayBuffer();
    at = new URL(location, at);
  }
  throw new Error("too many redirects");
}
