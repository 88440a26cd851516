import type { TrustedIssuer } from "@sallyport/core/messages/trust.ts";
import type { IssuerConfiguration } from "../config/configuration.ts";

/** An issuer of the configuration as hosts pin it. */
export function trustedIssuer(issuer: IssuerConfiguration): TrustedIssuer {
  return {
    issuer: issuer.issuer,
    clientIds: [issuer.clientId],
    algorithms: issuer.algorithms,
    maxTokenAge: issuer.maxTokenAge,
    mfa: issuer.mfa,
  };
}
