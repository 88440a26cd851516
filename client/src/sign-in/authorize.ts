import { SallyportError } from "@sallyport/core/errors.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import * as oidc from "openid-client";
import { reasonOf } from "../api/failure.ts";
import type { OfferedIssuer } from "./choose-issuer.ts";

/** Sent as `max_age`, in seconds, so that the ID token says when the person last proved who they are (`auth_time`). */
const MAX_AGE = 12 * 3600;
/** Clocks of the machine and of the identity provider may differ by so many seconds. */
const CLOCK_TOLERANCE = 60;

/** An authorization request that has been made and not yet answered. */
export interface Authorization {
  /** What the browser is to open. */
  address: string;
  state: string;
  /** Turns the browser's return into an ID token, all of its checks done. Codes `sign-in-failed`, `issuer-unreachable`. */
  finish(callback: URL): Promise<string>;
}

/** What an authorization request needs to know. */
export interface AuthorizationInput {
  issuer: OfferedIssuer;
  redirectUri: string;
  /** The nonce that commits to our key. */
  nonce: string;
  /** Ask for the password again, even where the provider still knows the person. */
  reauthenticate: boolean;
}

/**
 * Begins an authorization code flow with PKCE as a public client (RFC 8252). Of the provider's tokens only the ID token
 * leaves this function; access and refresh tokens are dropped. Codes `issuer-unreachable`, `sign-in-failed`.
 */
export async function authorize(input: AuthorizationInput): Promise<Authorization> {
  const configuration = await discover(input.issuer);
  const verifier = oidc.randomPKCECodeVerifier();
  const state = oidc.randomState();
  const address = oidc.buildAuthorizationUrl(configuration, {
    redirect_uri: input.redirectUri,
    scope: input.issuer.scope,
    state,
    nonce: input.nonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    max_age: String(MAX_AGE),
    ...(input.reauthenticate ? { prompt: "login" } : {}),
    ...(input.issuer.acrValues === null ? {} : { acr_values: input.issuer.acrValues }),
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
          maxAge: MAX_AGE,
        });
        if (tokens.id_token !== undefined) return tokens.id_token;
      } catch (error) {
        throw signInFailure(input.issuer, error);
      }
      throw new SallyportError(
        "sign-in-failed",
        `${nameOf(input.issuer)} sent no ID token; tell its administrator.`,
      );
    },
  };
}

async function discover(issuer: OfferedIssuer): Promise<oidc.Configuration> {
  const url = new URL(issuer.issuer);
  try {
    return await oidc.discovery(
      url,
      issuer.clientId,
      { [oidc.clockTolerance]: CLOCK_TOLERANCE },
      oidc.None(),
      {
        timeout: 10,
        execute: [
          oidc.enableNonRepudiationChecks,
          // chooseIssuer has let http pass for loopback only.
          ...(url.protocol === "http:" ? [oidc.allowInsecureRequests] : []),
        ],
      },
    );
  } catch (error) {
    throw unreachableIssuer(issuer, error);
  }
}

function signInFailure(issuer: OfferedIssuer, error: unknown): SallyportError {
  if (error instanceof oidc.AuthorizationResponseError || error instanceof oidc.ResponseBodyError) {
    const description =
      error.error_description === undefined ? "" : `: ${printable(error.error_description, 300)}`;
    return new SallyportError(
      "sign-in-failed",
      `${nameOf(issuer)} refused the sign-in (${printable(error.error, 100)}${description}); try again, or ask whom you work for.`,
      { cause: error },
    );
  }
  if (didNotAnswer(error)) return unreachableIssuer(issuer, error);
  return new SallyportError(
    "sign-in-failed",
    `The answer of ${nameOf(issuer)} did not pass its checks (${printable(error instanceof Error ? error.message : "", 200)}); sign in again.`,
    { cause: error },
  );
}

/** True when the provider was away, as opposed to one whose answer was wrong: fetch fails with a `TypeError`. */
function didNotAnswer(error: unknown): boolean {
  return error instanceof oidc.ClientError ? error.code === "OAUTH_TIMEOUT" : error instanceof TypeError;
}

function unreachableIssuer(issuer: OfferedIssuer, cause: unknown): SallyportError {
  const why = reasonOf(cause);
  return new SallyportError(
    "issuer-unreachable",
    `The identity provider ${nameOf(issuer)} at ${printable(issuer.issuer)} cannot be reached${why === "" ? "" : ` (${why})`}; check your network and try again.`,
    { cause },
  );
}

function nameOf(issuer: OfferedIssuer): string {
  return printable(issuer.name) || printable(issuer.issuer);
}
