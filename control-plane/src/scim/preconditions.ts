import { etag } from "./representation.ts";
import { ScimError } from "./scim-error.ts";

/** Refuses a change of something that is not any more what `If-Match` names (RFC 7644 §3.14). Status 412. */
export function checkIfMatch(header: string | undefined, version: number): void {
  if (header === undefined || names(header, version)) return;
  throw new ScimError(412, undefined, `It has changed: it is ${etag(version)} now. Read it again.`);
}

/** True when whoever asks has this version already. */
export function isNotModified(header: string | undefined, version: number): boolean {
  return header !== undefined && names(header, version);
}

/** ETags are compared weakly: Okta and Entra ID send what they were given, others without `W/`. */
function names(header: string, version: number): boolean {
  const tags = header.split(",", 20).map((tag) => tag.trim().replace(/^W\//, ""));
  return tags.includes("*") || tags.includes(`"${version}"`);
}
