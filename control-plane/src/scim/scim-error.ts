/** Keywords of RFC 7644 §3.12. */
export type ScimType =
  | "invalidFilter"
  | "tooMany"
  | "uniqueness"
  | "mutability"
  | "invalidSyntax"
  | "invalidPath"
  | "noTarget"
  | "invalidValue";

/** Statuses that a request may be refused with. */
export type ScimStatus = 400 | 401 | 404 | 405 | 409 | 412 | 413 | 415 | 429 | 500 | 501;

/** A request that is refused, as RFC 7644 §3.12 tells of it. The text goes to the IdP. */
export class ScimError extends Error {
  override readonly name = "ScimError";
  readonly status: ScimStatus;
  readonly scimType: ScimType | undefined;

  constructor(status: ScimStatus, scimType: ScimType | undefined, detail: string, options?: ErrorOptions) {
    super(detail, options);
    this.status = status;
    this.scimType = scimType;
  }
}

/** 400 with a keyword. */
export function badRequest(scimType: ScimType, detail: string): ScimError {
  return new ScimError(400, scimType, detail);
}

/** The body of such an answer. */
export function errorBody({ status, scimType, message }: ScimError): object {
  return {
    schemas: ["urn:ietf:params:scim:api:messages:2.0:Error"],
    status: String(status),
    ...(scimType !== undefined && { scimType }),
    detail: message.slice(0, 500),
  };
}
