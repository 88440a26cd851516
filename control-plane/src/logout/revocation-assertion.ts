import type { JSONWebKeySet } from "jose";
import type { z } from "zod";
import type { IssuerConfiguration } from "../issuers/issuer-configuration.ts";
import { checkFresh, decodeJwtStrictly, JwtClaims, jwtMark, PlainText, verifySignature } from "./idp-jwt.ts";
import { NoticeRefused } from "./notice-refused.ts";

const TYPE = "global-token-revocation+jwt";

const Claims = JwtClaims.extend({ sub: PlainText(255).optional() });

/** Who asks for a revocation, verified. */
export interface RevocationAssertion {
  issuer: IssuerConfiguration;
  jti: string;
  /** `iss` values that mean this IdP in what it asks for. */
  spokenFor: readonly string[];
  /** What it is remembered by, and until when, in seconds. */
  mark: string;
  markedUntil: number;
}

/** What such a JWT is checked against. */
export interface AssertionNeeds {
  issuers: readonly IssuerConfiguration[];
  /** Our own address of this endpoint. */
  endpoint: string;
  /** Seconds since the epoch. */
  now: number;
  keysFor(issuer: IssuerConfiguration, kid: string | undefined): Promise<JSONWebKeySet | undefined>;
}

/**
 * Verifies the JWT that a request to revoke comes with, as Okta makes it: its own `typ`, our endpoint as `aud`, minutes old, and where
 * the configuration says so, `sub`. An IdP that is not configured for this is not believed. Throws {@link NoticeRefused} 401, and 403 for
 * another `sub`.
 */
export async function verifyAssertion(
  authorization: string | undefined,
  needs: AssertionNeeds,
): Promise<RevocationAssertion> {
  const [, compact] = /^Bearer ([\w-]+\.[\w-]+\.[\w-]*)$/i.exec(authorization ?? "") ?? [];
  if (compact === undefined) throw unauthorized("The request has no JWT of an IdP as bearer token.");
  const token = await refusing(async () => decodeJwtStrictly(compact, Claims));
  const { header, type, claims } = token;
  if (type !== TYPE) throw unauthorized(`The token's typ is not ${TYPE}.`);
  const issuer = needs.issuers.find((one) => issuersOf(one).includes(claims.iss));
  const rules = issuer?.globalTokenRevocation;
  if (issuer === undefined || rules === undefined)
    throw unauthorized("The token's issuer may not ask for revocations here.");
  const keys = await needs.keysFor(issuer, header.kid);
  await refusing(() => verifySignature(token, keys, issuer.algorithms));
  const signedBy = { issuer: issuer.issuer, jti: claims.jti };
  return refusing(async () => {
    const markedUntil = checkClaims(claims, rules.audience ?? needs.endpoint, needs.now);
    if (rules.subject !== undefined && claims.sub !== rules.subject)
      throw new NoticeRefused(403, "access_denied", "The token's sub may not ask for revocations here.", {
        signedBy,
      });
    return {
      ...{ issuer, jti: claims.jti, markedUntil },
      spokenFor: [issuer.issuer, ...issuer.aliases, ...(rules.issuer === undefined ? [] : [rules.issuer])],
      mark: jwtMark("global-token-revocation", { iss: issuer.issuer, jti: claims.jti }),
    };
  }, signedBy);
}

/** `iss` values of requests that mean this IdP; none where it may not send any. */
function issuersOf({ issuer, aliases, globalTokenRevocation }: IssuerConfiguration): string[] {
  if (globalTokenRevocation === undefined) return [];
  return globalTokenRevocation.issuer === undefined ? [issuer, ...aliases] : [globalTokenRevocation.issuer];
}

function checkClaims(claims: z.output<typeof Claims>, audience: string, now: number): number {
  if (![claims.aud].flat().every((one) => one === audience))
    throw new Error("The token was made for another endpoint.");
  if (claims.exp === undefined) throw new Error("The token has no exp.");
  return checkFresh(claims, now);
}

async function refusing<T>(check: () => Promise<T>, signedBy?: NoticeRefused["signedBy"]): Promise<T> {
  try {
    return await check();
  } catch (error) {
    throw error instanceof NoticeRefused ? error : unauthorized((error as Error).message, signedBy, error);
  }
}

function unauthorized(
  sentence: string,
  signedBy?: NoticeRefused["signedBy"],
  cause?: unknown,
): NoticeRefused {
  return new NoticeRefused(401, "invalid_token", sentence, {
    cause,
    ...(signedBy === undefined ? {} : { signedBy }),
  });
}
