import { SallyportError } from "@sallyport/core/errors.ts";
import { AuthorizationHint } from "@sallyport/core/messages/client-api.ts";
import * as oidc from "openid-client";
import type { OfferedIssuer } from "./choose-issuer.ts";
import { discover, nameOf, signInFailure } from "./identity-provider.ts";
import { isHandedOver, scopeFor } from "./scope.ts";

/** An authorization request that has been made and not yet answered. */
export interface Authorization {
  /** What the browser is to open. */
  address: string;
  state: string;
  /** Turns the browser's return into tokens, all of their checks done. Codes `sign-in-failed`, `issuer-unreachable`. */
  finish(callback: URL): Promise<ProviderTokens>;
}

/** What a sign-in brought from the identity provider. */
export interface ProviderTokens {
  idToken: string;
  /** Null where the provider gave none, or there is no use for it. */
  refreshToken: string | null;
}

/** What an authorization request needs to know. */
export interface AuthorizationInput {
  issuer: OfferedIssuer;
  redirectUri: string;
  /** The nonce that commits to our key. */
  nonce: string;
  /** Ask for the password again, even where the provider still knows the person. */
  reauthenticate: boolean;
  /** Filled into the provider's form. */
  email?: string | undefined;
}

function knownHints(hints: OfferedIssuer["hints"]): OfferedIssuer["hints"] {
  return Object.fromEntries(
    Object.entries(hints).filter(([name]) => AuthorizationHint.safeParse(name).success),
  );
}

/**
 * Begins an authorization code flow with PKCE as a public client (RFC 8252). Access tokens are dropped, and refresh tokens
 * where there is no use for them. Codes `issuer-unreachable`, `sign-in-failed`.
 */
export async function authorize(input: AuthorizationInput): Promise<Authorization> {
  const { issuer } = input;
  const wantsRefreshToken = issuer.renewal === true || isHandedOver(issuer);
  const configuration = await discover(issuer);
  const verifier = oidc.randomPKCECodeVerifier();
  const state = oidc.randomState();
  const address = oidc.buildAuthorizationUrl(configuration, {
    // First, so that nothing that the control plane adds takes the place of what follows.
    ...knownHints(issuer.hints),
    redirect_uri: input.redirectUri,
    scope: scopeFor(issuer, wantsRefreshToken, configuration.serverMetadata().scopes_supported),
    response_type: "code",
    state,
    nonce: input.nonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    ...(issuer.maxAge === null ? {} : { max_age: String(issuer.maxAge) }),
    ...(input.reauthenticate
      ? { prompt: issuer.hints.prompt === "consent" ? "login consent" : "login" }
      : {}),
    ...(issuer.acrValues === null ? {} : { acr_values: issuer.acrValues }),
    ...(input.email === undefined ? {} : { login_hint: input.email }),
  });
  return {
    address: address.href,
    state,
    finish: async (callback) => {
      try {
        const tokens = await oidc.authorizationCodeGrant(configuration, callback, {
          pkceCodeVerifier: verifier,
          expectedState: state,
          expectedNonce: input.nonce,
          idTokenExpected: true,
          ...(issuer.maxAge === null ? {} : { maxAge: issuer.maxAge }),
        });
        const refreshToken = (wantsRefreshToken && tokens.refresh_token) || null;
        if (tokens.id_token !== undefined) return { idToken: tokens.id_token, refreshToken };
      } catch (error) {
        throw signInFailure(issuer, error);
      }
      throw new SallyportError(
        "sign-in-failed",
        `${nameOf(issuer)} sent no ID token; tell its administrator.`,
      );
    },
  };
}
