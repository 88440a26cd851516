import type { TrustedIssuer } from "../messages/trust.ts";
import type { MfaLevel } from "../policy/engagement.ts";

const RANK: Record<MfaLevel, number> = { none: 0, mfa: 1, "phishing-resistant": 2 };

/** True when `level` is at least `required`. */
export function mfaSuffices(level: MfaLevel, required: MfaLevel): boolean {
  return RANK[level] >= RANK[required];
}

/** The lower of two levels. */
export function lowerLevel(one: MfaLevel, other: MfaLevel): MfaLevel {
  return RANK[one] < RANK[other] ? one : other;
}

/**
 * The level that `acr` (OpenID Connect Core §2), `amr` (RFC 8176) and `acrs` (Entra's authentication contexts) stand for
 * at this IdP: the highest of those its configuration names, else what it is assumed to ask of everybody, else `none`.
 */
export function mfaLevelOf(
  claims: { acr?: string | undefined; amr?: string[] | undefined; acrs?: string[] | undefined },
  issuer: Pick<TrustedIssuer, "mfa">,
): MfaLevel {
  const named = [
    own(issuer.mfa.acr, claims.acr),
    ...(claims.amr ?? []).map((value) => own(issuer.mfa.amr, value)),
    ...(claims.acrs ?? []).map((value) => own(issuer.mfa.acrs ?? {}, value)),
    issuer.mfa.assume,
  ];
  return named.reduce<MfaLevel>((best, level) => (level && RANK[level] > RANK[best] ? level : best), "none");
}

function own(table: Record<string, MfaLevel>, value: string | undefined): MfaLevel | undefined {
  return value !== undefined && Object.hasOwn(table, value) ? table[value] : undefined;
}
