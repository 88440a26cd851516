import type { ContentfulStatusCode } from "hono/utils/http-status";
import { inTransaction } from "../../database/open-database.ts";
import { announce } from "../../revocations/announce.ts";
import type { ScimChange } from "../../scim/access.ts";
import { GROUPS } from "../../scim/attributes.ts";
import {
  type ChangedGroup,
  createGroup,
  deleteGroup,
  findGroup,
  patchGroup,
  replaceGroup,
} from "../../scim/groups.ts";
import { listGroups, readQuery } from "../../scim/list.ts";
import { isNotModified } from "../../scim/preconditions.ts";
import { etag, groupResource, project, readWanted } from "../../scim/representation.ts";
import type { Services } from "../services.ts";
import { scimBody, searchBody } from "./scim-body.ts";
import { type AddScimRoute, type ScimCall, scimAnswer } from "./scim-call.ts";

/** `/Groups`. */
export function groupRoutes(add: AddScimRoute, services: Services): void {
  const { db, environment } = services;

  const change = async <T extends Pick<ChangedGroup, "entries">>(
    { idp, context }: ScimCall,
    work: (change: ScimChange) => Promise<T>,
  ): Promise<T> => {
    const request = `${context.req.method} Group`;
    const changed = await inTransaction(db, (inside) => work({ db: inside, environment, idp, request }));
    announce(services, changed.entries);
    return changed;
  };
  const list = async ({ context, idp, base, costs }: ScimCall, asked: Record<string, unknown>) => {
    const query = readQuery(GROUPS, asked);
    return scimAnswer(context, await listGroups(db, { issuer: idp.issuer, base, costs }, query));
  };

  add("GET", "/Groups", (call) => list(call, call.context.req.query()));
  add("POST", "/Groups/.search", async (call) => list(call, await searchBody(call.context)));
  add("POST", "/Groups", async (call) => {
    const body = await scimBody(call.context);
    return answer(call, await change(call, (inside) => createGroup(inside, body)), 201);
  });
  add("GET", "/Groups/:id", async (call) => {
    const { context, idp } = call;
    const found = await findGroup({ db, environment, idp, request: "GET Group" }, id(call));
    if (isNotModified(context.req.header("if-none-match"), found.group.version))
      return context.body(null, 304, { etag: etag(found.group.version) });
    return answer(call, found);
  });
  add("PUT", "/Groups/:id", async (call) => {
    const input = { body: await scimBody(call.context), ifMatch: call.context.req.header("if-match") };
    return answer(call, await change(call, (inside) => replaceGroup(inside, id(call), input)));
  });
  add("PATCH", "/Groups/:id", async (call) => {
    const { context } = call;
    const input = { body: await scimBody(context), ifMatch: context.req.header("if-match") };
    const changed = await change(call, (inside) => patchGroup(inside, id(call), input));
    // All members again would be most of the work, and Entra ID wants none of it (RFC 7644 §3.5.2).
    if (context.req.query("attributes") !== undefined) return answer(call, changed);
    return context.body(null, 204, { etag: etag(changed.group.version) });
  });
  add("DELETE", "/Groups/:id", async (call) => {
    await change(call, async (inside) => ({
      entries: await deleteGroup(inside, id(call), call.context.req.header("if-match")),
    }));
    return call.context.body(null, 204);
  });
}

function id({ context }: ScimCall): string {
  return context.req.param("id") ?? "";
}

function answer(
  { context, base }: ScimCall,
  { group, members }: Pick<ChangedGroup, "group" | "members">,
  status: ContentfulStatusCode = 200,
): Response {
  const resource = project(groupResource(base, group, members), readWanted(GROUPS, context.req.query()));
  const headers = { location: `${base}/Groups/${group.id}`, etag: etag(group.version) };
  return scimAnswer(context, resource, { status, headers });
}
