import type { ContentfulStatusCode } from "hono/utils/http-status";
import { inTransaction } from "../../database/open-database.ts";
import type { ScimUserRow } from "../../database/scim-users.ts";
import { announce } from "../../revocations/announce.ts";
import type { ScimChange } from "../../scim/access.ts";
import { USERS } from "../../scim/attributes.ts";
import { listUsers, readQuery } from "../../scim/list.ts";
import { isNotModified } from "../../scim/preconditions.ts";
import { etag, project, readWanted, userResource } from "../../scim/representation.ts";
import {
  type ChangedUser,
  createUser,
  deleteUser,
  findUser,
  patchUser,
  replaceUser,
} from "../../scim/users.ts";
import type { Services } from "../services.ts";
import { scimBody, searchBody } from "./scim-body.ts";
import { type AddScimRoute, type ScimCall, scimAnswer } from "./scim-call.ts";

/** `/Users`. */
export function userRoutes(add: AddScimRoute, services: Services): void {
  const { db, environment } = services;

  const change = async (
    { idp, context }: ScimCall,
    work: (change: ScimChange) => Promise<ChangedUser>,
  ): Promise<ScimUserRow> => {
    const request = `${context.req.method} User`;
    const { user, entries } = await inTransaction(db, (inside) =>
      work({ db: inside, environment, idp, request }),
    );
    // The IdP has its answer as soon as it is stored; hosts hear of it meanwhile.
    announce(services, entries);
    return user;
  };
  const list = async ({ context, idp, base, costs }: ScimCall, asked: Record<string, unknown>) => {
    const query = readQuery(USERS, asked);
    return scimAnswer(context, await listUsers(db, { issuer: idp.issuer, base, costs }, query));
  };

  add("GET", "/Users", (call) => list(call, call.context.req.query()));
  add("POST", "/Users/.search", async (call) => list(call, await searchBody(call.context)));
  add("POST", "/Users", async (call) => {
    const body = await scimBody(call.context);
    return answer(call, await change(call, (inside) => createUser(inside, body)), 201);
  });
  add("GET", "/Users/:id", async (call) => {
    const { context, idp } = call;
    const user = await findUser({ db, environment, idp, request: "GET User" }, id(call));
    if (isNotModified(context.req.header("if-none-match"), user.version))
      return context.body(null, 304, { etag: etag(user.version) });
    return answer(call, user);
  });
  add("PUT", "/Users/:id", async (call) => {
    const input = { body: await scimBody(call.context), ifMatch: call.context.req.header("if-match") };
    return answer(call, await change(call, (inside) => replaceUser(inside, id(call), input)));
  });
  add("PATCH", "/Users/:id", async (call) => {
    const input = { body: await scimBody(call.context), ifMatch: call.context.req.header("if-match") };
    return answer(call, await change(call, (inside) => patchUser(inside, id(call), input)));
  });
  add("DELETE", "/Users/:id", async (call) => {
    await change(call, (inside) => deleteUser(inside, id(call), call.context.req.header("if-match")));
    return call.context.body(null, 204);
  });
}

function id({ context }: ScimCall): string {
  return context.req.param("id") ?? "";
}

function answer(
  { context, base }: ScimCall,
  user: ScimUserRow,
  status: ContentfulStatusCode = 200,
): Response {
  const resource = project(userResource(base, user), readWanted(USERS, context.req.query()));
  const headers = { location: `${base}/Users/${user.id}`, etag: etag(user.version) };
  return scimAnswer(context, resource, { status, headers });
}
