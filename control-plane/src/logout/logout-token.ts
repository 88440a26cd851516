import type { JSONWebKeySet } from "jose";
import { z } from "zod";
import type { IssuerConfiguration } from "../issuers/issuer-configuration.ts";
import {
  checkFresh,
  decodeJwtStrictly,
  JwtClaims,
  jwtMark,
  PlainText,
  Sid,
  verifySignature,
} from "./idp-jwt.ts";
import { NoticeRefused } from "./notice-refused.ts";

const EVENT = "http://schemas.openid.net/event/backchannel-logout";
/** `logout+jwt` is what the specification recommends; before it there was `JWT`, or none. A `typ` of anything else is that. */
const TYPES = [undefined, "jwt", "logout+jwt"];

const Claims = JwtClaims.extend({
  azp: PlainText(255).optional(),
  sub: PlainText(255).optional(),
  oid: PlainText(255).optional(),
  sid: Sid.optional(),
  // What an ID token has and a logout token must not have (§2.4): each is refused where the other is meant.
  nonce: z.never().optional(),
  events: z.looseObject({ [EVENT]: z.record(z.string(), z.unknown()) }),
});

/** What a logout token says, verified: whom the IdP has signed out. At least one of `subject` and `sid` is there. */
export interface LogoutNotice {
  issuer: IssuerConfiguration;
  subject: string | undefined;
  /** The session at the IdP that has ended; undefined means all of the subject's. */
  sid: string | undefined;
  jti: string;
  /** What it is remembered by, and until when, in seconds. */
  mark: string;
  markedUntil: number;
}

/** What a logout token is checked against. */
export interface LogoutTokenNeeds {
  issuers: readonly IssuerConfiguration[];
  /** Seconds since the epoch. */
  now: number;
  /** The keys of an issuer, after a look for the one with this id. */
  keys(issuer: string, kid: string | undefined): Promise<JSONWebKeySet | undefined>;
}

/**
 * Verifies a logout token: OpenID Connect Back-Channel Logout 1.0 §2.6, steps 1 to 7; that its `jti` is new is for the transaction
 * that acts on it. `exp` may be missing, which IdPs in use leave out; `iat` bounds it then. Throws {@link NoticeRefused}.
 */
export async function verifyLogoutToken(compact: string, needs: LogoutTokenNeeds): Promise<LogoutNotice> {
  const token = refusing(() => decodeJwtStrictly(compact, Claims));
  const { header, type, claims } = token;
  if (!TYPES.includes(type)) throw refused("The token's typ is not that of a logout token.");
  const issuer = needs.issuers.find((one) => one.issuer === claims.iss || one.aliases.includes(claims.iss));
  if (issuer === undefined) throw refused("The token's issuer is not known here.");
  const keys = await needs.keys(issuer.issuer, header.kid);
  await verifySignature(token, keys, issuer.algorithms).catch((error: Error) => {
    throw refused(error.message, undefined, error);
  });
  const signedBy = { issuer: issuer.issuer, jti: claims.jti };
  return refusing(() => {
    checkAudience(claims, [issuer.clientId, ...issuer.backChannelLogout.clientIds]);
    const markedUntil = checkFresh(claims, needs.now);
    const subject = claims[issuer.subjectClaim];
    const { sid, jti } = claims;
    if (subject === undefined && sid === undefined)
      throw new Error(`The token names nobody: it has neither ${issuer.subjectClaim} nor sid.`);
    const mark = jwtMark("logout", { iss: issuer.issuer, jti });
    return { issuer, subject, sid, jti, mark, markedUntil };
  }, signedBy);
}

/** As for ID tokens: made for us and for nobody else. */
function checkAudience({ aud, azp }: z.output<typeof Claims>, ours: readonly string[]): void {
  const parties = [...[aud].flat(), ...(azp === undefined ? [] : [azp])];
  if (!parties.every((party) => ours.includes(party)))
    throw new Error("The token was made for another application.");
}

function refusing<T>(check: () => T, signedBy?: NoticeRefused["signedBy"]): T {
  try {
    return check();
  } catch (error) {
    throw refused((error as Error).message, signedBy, error);
  }
}

function refused(sentence: string, signedBy?: NoticeRefused["signedBy"], cause?: unknown): NoticeRefused {
  return new NoticeRefused(400, "invalid_request", sentence, {
    cause,
    ...(signedBy === undefined ? {} : { signedBy }),
  });
}
