import { SallyportError } from "@sallyport/core/errors.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import * as oidc from "openid-client";
import { reasonOf } from "../api/failure.ts";
import type { OfferedIssuer } from "./choose-issuer.ts";

/** Clocks of the machine and of the identity provider may differ by so many seconds. */
const CLOCK_TOLERANCE = 60;

/**
 * What an identity provider publishes of itself, and who we are there. `signal` ends this and every later request early. Code
 * `issuer-unreachable`.
 */
export async function discover(issuer: OfferedIssuer, signal?: AbortSignal): Promise<oidc.Configuration> {
  const url = new URL(issuer.issuer);
  try {
    return await oidc.discovery(
      url,
      issuer.clientId,
      { [oidc.clockTolerance]: CLOCK_TOLERANCE },
      // What native clients of some providers have to send is no secret (RFC 8252 §8.5).
      issuer.clientSecret === null ? oidc.None() : oidc.ClientSecretPost(issuer.clientSecret),
      {
        timeout: 10,
        ...(signal === undefined ? {} : { [oidc.customFetch]: fetchUntil(signal) }),
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

function fetchUntil(end: AbortSignal): oidc.CustomFetch {
  return (url, { signal, ...options }) =>
    fetch(url, { ...options, signal: signal ? AbortSignal.any([signal, end]) : end } as RequestInit);
}

/** What went wrong between us and the provider. Codes `sign-in-failed`, `issuer-unreachable`. */
export function signInFailure(issuer: OfferedIssuer, error: unknown): SallyportError {
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

/** The name for people, or the address where it has none. */
export function nameOf(issuer: OfferedIssuer): string {
  return printable(issuer.name) || printable(issuer.issuer);
}
