import { resourceTypes, schemas, serviceProviderConfig, wholeList } from "../../scim/discovery.ts";
import { ScimError } from "../../scim/scim-error.ts";
import { type AddScimRoute, scimAnswer } from "./scim-call.ts";

/** What this server can do (RFC 7644 §4). */
export function discoveryRoutes(add: AddScimRoute): void {
  add("GET", "/ServiceProviderConfig", ({ context, base }) =>
    scimAnswer(context, serviceProviderConfig(base)),
  );
  for (const [path, list] of [
    ["/ResourceTypes", resourceTypes],
    ["/Schemas", schemas],
  ] as const) {
    add("GET", path, ({ context, base }) => scimAnswer(context, wholeList(list(base))));
    add("GET", `${path}/:id`, ({ context, base }) => {
      const id = context.req.param("id")?.toLowerCase();
      const found = list(base).find((one) => one.id.toLowerCase() === id);
      if (found === undefined) throw new ScimError(404, undefined, "There is no such thing here.");
      return scimAnswer(context, found);
    });
  }
}
