import type { IssuerConfiguration } from "../issuers/issuer-configuration.ts";

/** An IdP that speaks SCIM, by what matters of it. */
export interface ScimIssuer {
  issuer: string;
  name: string;
  subjectAttribute: "externalId" | "userName";
  requireGroup: string | undefined;
}

/** Those of the configured IdPs that speak SCIM. */
export function scimIssuers(issuers: readonly IssuerConfiguration[]): ScimIssuer[] {
  return issuers.flatMap(({ issuer, name, scim }) =>
    scim === undefined
      ? []
      : [{ issuer, name, subjectAttribute: scim.subjectAttribute, requireGroup: scim.requireGroup }],
  );
}
