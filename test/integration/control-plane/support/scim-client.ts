import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** An answer of the SCIM server. */
interface ScimAnswer {
  status: number;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came
  body: any;
}

/** What an IdP is to a SCIM server: an address and a token. */
export interface ScimClient {
  request(
    method: string,
    path: string,
    options?: { body?: unknown; headers?: Record<string, string> },
  ): Promise<ScimAnswer>;
}

/** Sends requests as an IdP does. A body that is text goes as it is. */
export function scimClient(url: string, token: string): ScimClient {
  return {
    request: async (method, path, { body, headers = {} } = {}) => {
      const response = await fetch(`${url}/scim/v2${path}`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(body === undefined ? {} : { "content-type": "application/scim+json; charset=utf-8" }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      return {
        status: response.status,
        headers: response.headers,
        body: text === "" ? null : JSON.parse(text),
      };
    },
  };
}

/** Files with tokens, in a directory that goes with them. */
export function tokenFiles(contents: Record<string, string>) {
  const directory = mkdtempSync(join(tmpdir(), "sallyport-scim-"));
  const path = (name: string) => join(directory, name);
  for (const [name, text] of Object.entries(contents)) writeFileSync(path(name), text, { mode: 0o600 });
  return {
    path,
    write: (name: string, text: string) => writeFileSync(path(name), text),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

export const USER_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:User";
export const GROUP_SCHEMA = "urn:ietf:params:scim:schemas:core:2.0:Group";
export const ENTERPRISE_SCHEMA = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const PATCH_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/** The body of a PATCH. */
export function patchOf(...Operations: object[]) {
  return { schemas: [PATCH_SCHEMA], Operations };
}
