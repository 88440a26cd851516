import type { TrustedIssuer } from "@sallyport/core/messages/trust.ts";
import type { IssuerConfiguration } from "./issuer-configuration.ts";

/**
 * An issuer of the configuration as hosts pin it. What says nothing is left out, so that the trust of a plain issuer, and
 * its hash in join tokens, stay what they were.
 */
export function trustedIssuer(issuer: IssuerConfiguration): TrustedIssuer {
  const { acr, amr, acrs, assume } = issuer.mfa;
  return {
    issuer: issuer.issuer,
    ...(issuer.aliases.length === 0 ? {} : { aliases: issuer.aliases }),
    clientIds: [issuer.clientId],
    algorithms: issuer.algorithms,
    maxTokenAge: issuer.maxTokenAge,
    ...(issuer.renewal ? { maxSignInAge: issuer.signInLifetime } : {}),
    mfa: {
      ...{ acr, amr },
      ...(Object.keys(acrs).length === 0 ? {} : { acrs }),
      ...(assume === "none" ? {} : { assume }),
    },
    ...(issuer.subjectClaim === "sub" ? {} : { subjectClaim: issuer.subjectClaim }),
    ...(Object.keys(issuer.requiredClaims).length === 0 ? {} : { requiredClaims: issuer.requiredClaims }),
  };
}
