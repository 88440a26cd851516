import { describeSchemas, ENTERPRISE_USER, GROUP, USER } from "./attributes.ts";
import { MOST_RESULTS } from "./list.ts";

const CORE = "urn:ietf:params:scim:schemas:core:2.0";

/** `/ServiceProviderConfig`: what this server does of RFC 7644, and what not. */
export function serviceProviderConfig(base: string): object {
  return {
    schemas: [`${CORE}:ServiceProviderConfig`],
    patch: { supported: true },
    bulk: { supported: false, maxOperations: 0, maxPayloadSize: 0 },
    filter: { supported: true, maxResults: MOST_RESULTS },
    changePassword: { supported: false },
    sort: { supported: false },
    etag: { supported: true },
    authenticationSchemes: [
      {
        type: "oauthbearertoken",
        name: "Bearer token",
        description: "The token that the operator of this server has made for this IdP",
        specUri: "https://www.rfc-editor.org/rfc/rfc6750",
        primary: true,
      },
    ],
    meta: { resourceType: "ServiceProviderConfig", location: `${base}/ServiceProviderConfig` },
  };
}

/** `/ResourceTypes`. */
export function resourceTypes(base: string): (object & { id: string })[] {
  const type = (id: string, schema: string, schemaExtensions: object[]) => ({
    schemas: [`${CORE}:ResourceType`],
    ...{ id, name: id, endpoint: `/${id}s`, schema, schemaExtensions },
    meta: { resourceType: "ResourceType", location: `${base}/ResourceTypes/${id}` },
  });
  return [type("User", USER, [{ schema: ENTERPRISE_USER, required: false }]), type("Group", GROUP, [])];
}

/** `/Schemas`. */
export function schemas(base: string): (object & { id: string })[] {
  return describeSchemas(base) as (object & { id: string })[];
}

/** All of a discovery list: it has no pages. */
export function wholeList(resources: readonly object[]): object {
  return {
    schemas: ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
    totalResults: resources.length,
    startIndex: 1,
    itemsPerPage: resources.length,
    Resources: resources,
  };
}
