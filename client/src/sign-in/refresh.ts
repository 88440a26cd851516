import { SallyportError } from "@sallyport/core/errors.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import * as oidc from "openid-client";
import type { OwnGrant, RenewalGrant } from "../keys/renewal-grant.ts";
import { discover, nameOf } from "./identity-provider.ts";

/** What came of asking the identity provider for fresh tokens. */
export type Refreshed =
  | { outcome: "fresh"; idToken: string; refreshToken: string }
  /** It gives none without the person: another sign-in is needed, and nothing is wrong with them. */
  | { outcome: "sign-in-needed" }
  /** The refresh token is worth nothing any more: the account was disabled, the session ended there, or the time was up. */
  | { outcome: "no-longer-vouched"; error: SallyportError };

/**
 * Asks the identity provider for fresh tokens (RFC 6749 §6, OpenID Connect Core §12). `beforeAsking` is called when the refresh
 * token is about to leave: from then on it may be used up. Rejects when no answer came, or none that means anything: the code
 * is `issuer-unreachable` where the provider was not found at all.
 */
export async function refresh(
  grant: OwnGrant,
  signal: AbortSignal,
  beforeAsking: () => void,
): Promise<Refreshed> {
  const configuration = await discover(grant.issuer, signal);
  beforeAsking();
  try {
    const tokens = await oidc.refreshTokenGrant(configuration, grant.refreshToken);
    if (tokens.id_token === undefined) return { outcome: "sign-in-needed" };
    const refreshToken = tokens.refresh_token ?? grant.refreshToken;
    return { outcome: "fresh", idToken: tokens.id_token, refreshToken };
  } catch (error) {
    if (!(error instanceof oidc.ResponseBodyError) || error.status >= 500) throw error;
    if (error.error !== "invalid_grant") return { outcome: "sign-in-needed" };
    const why = error.error_description === undefined ? "" : `: ${printable(error.error_description, 300)}`;
    const answer = `${printable(error.error, 100)}${why}`;
    return { outcome: "no-longer-vouched", error: noLongerVouched(grant, answer, error) };
  }
}

/** What the person is told then. `answer` is the provider's, as far as it is known. */
export function noLongerVouched(
  { issuer }: Pick<RenewalGrant, "issuer">,
  answer: string,
  cause: unknown,
): SallyportError {
  return new SallyportError(
    "sign-in-failed",
    `Your identity provider, ${nameOf(issuer)}, no longer vouches for you (${answer}), so your ` +
      "certificate was removed; sign in again with: sallyport login. If that is refused, ask whom you work for.",
    { cause },
  );
}

/** Tells the identity provider that the refresh token is not needed any more (RFC 7009), where it listens to that. */
export async function revokeGrant(grant: OwnGrant, signal: AbortSignal): Promise<void> {
  const configuration = await discover(grant.issuer, signal);
  if (configuration.serverMetadata().revocation_endpoint === undefined) return;
  await oidc.tokenRevocation(configuration, grant.refreshToken, { token_type_hint: "refresh_token" });
}
