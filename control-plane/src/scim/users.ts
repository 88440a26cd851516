import { canonicalJson } from "@sallyport/core/canonical-json.ts";
import type { Revocation } from "@sallyport/core/policy/revocation.ts";
import { audit } from "../audit/audit.ts";
import { leaveScimGroups } from "../database/scim-groups.ts";
import {
  addScimUser,
  countScimUsers,
  type ScimUserRow,
  saveScimUser,
  scimUserById,
  scimUserInTheWay,
} from "../database/scim-users.ts";
import { newId, seconds } from "../environment.ts";
import { actorOf, evidenceOf, followAccess, hasAccess, notInGroup, type ScimChange } from "./access.ts";
import { USERS } from "./attributes.ts";
import { applyPatch } from "./patch.ts";
import { checkIfMatch } from "./preconditions.ts";
import { type Complex, isObject, readResource } from "./resource.ts";
import { badRequest, ScimError } from "./scim-error.ts";

/** Of one IdP, deleted ones too. */
const MOST_USERS = 200_000;
const MOST_NAME = 320;
/** Characters of JSON of one user: ten times what Okta and Entra ID send. */
const MOST_JSON = 32_768;

/** What a change came to: the user as it is now, and what hosts are to be told once it is committed. */
export interface ChangedUser {
  user: ScimUserRow;
  entries: Revocation[];
}

/** `POST /Users`. Throws a `ScimError`: 409 where the name or the external id is taken. */
export async function createUser(change: ScimChange, body: unknown): Promise<ChangedUser> {
  const { db, environment, idp } = change;
  if ((await countScimUsers(db, idp.issuer)) >= MOST_USERS)
    throw badRequest("invalidValue", `There are ${MOST_USERS} users already, deleted ones included.`);
  const now = environment.clock();
  const user = rowOf(
    { id: newId(environment, "scu"), issuer: idp.issuer, version: 1, created_at_ms: now, changed_at_ms: now },
    readResource(USERS, body),
  );
  await requireFree(change, user);
  await addScimUser(db, user);
  return settled(change, user, { had: false, isChanged: true });
}

/** `PUT /Users/ID`. Throws a `ScimError`. */
export async function replaceUser(
  change: ScimChange,
  id: string,
  { body, ifMatch }: { body: unknown; ifMatch: string | undefined },
): Promise<ChangedUser> {
  return update(change, id, ifMatch, (before) => {
    const after = readResource(USERS, body);
    // What is left out of a PUT is gone, but nobody is enabled by being silent about it.
    return "active" in after ? after : { ...after, active: before.active === true };
  });
}

/** `PATCH /Users/ID`. Throws a `ScimError`. */
export async function patchUser(
  change: ScimChange,
  id: string,
  { body, ifMatch }: { body: unknown; ifMatch: string | undefined },
): Promise<ChangedUser> {
  return update(change, id, ifMatch, (before) => {
    const { id: _id, ...after } = applyPatch(USERS, { ...before, id }, body);
    // Without the attribute nobody has said that they may come in.
    return "active" in after ? after : { ...after, active: false };
  });
}

/** `DELETE /Users/ID`: disabled until they are created again. Throws a `ScimError`. */
export async function deleteUser(
  change: ScimChange,
  id: string,
  ifMatch: string | undefined,
): Promise<ChangedUser> {
  const { db, environment, idp } = change;
  const before = await findUser(change, id);
  checkIfMatch(ifMatch, before.version);
  const had = await hasAccess(db, idp, before);
  const gone: ScimUserRow = {
    ...before,
    ...{ active: 0, live_name: null, live_external_id: null },
    deleted_at: seconds(environment.clock),
    changed_at_ms: environment.clock(),
  };
  // Told with all that is known of them, before that is forgotten.
  const changed = await settled(change, gone, { had, isChanged: true });
  await leaveScimGroups(db, id);
  await saveScimUser(db, { ...gone, resource_json: "{}" });
  return changed;
}

/** The user of this IdP with this id. Throws a `ScimError` with 404. */
export async function findUser({ db, idp }: ScimChange, id: string): Promise<ScimUserRow> {
  const user = await scimUserById(db, idp.issuer, id);
  if (user === undefined) throw new ScimError(404, undefined, `There is no user ${id.slice(0, 100)}.`);
  return user;
}

async function update(
  change: ScimChange,
  id: string,
  ifMatch: string | undefined,
  edit: (resource: Complex) => Complex,
): Promise<ChangedUser> {
  const { db, environment, idp } = change;
  const before = await findUser(change, id);
  checkIfMatch(ifMatch, before.version);
  const had = await hasAccess(db, idp, before);
  const edited = rowOf(before, edit(JSON.parse(before.resource_json) as Complex));
  if (edited.resource_json === before.resource_json)
    return settled(change, before, { had, isChanged: false });
  await requireFree(change, edited);
  const user = { ...edited, version: before.version + 1, changed_at_ms: environment.clock() };
  await saveScimUser(db, user);
  return settled(change, user, { had, isChanged: true });
}

/** Has the revocation list follow, and the audit log tell of it. */
async function settled(
  change: ScimChange,
  user: ScimUserRow,
  { had, isChanged }: { had: boolean; isChanged: boolean },
): Promise<ChangedUser> {
  const { db, environment, idp, request } = change;
  const has = await hasAccess(db, idp, user);
  const entries = await followAccess(change, user, { had, has, reason: reasonOf(change, user, has) });
  if (isChanged && entries.length === 0)
    await audit(db, environment, {
      type: "idp-notice",
      actor: actorOf(idp),
      data: evidenceOf(request, user),
    });
  return { user, entries };
}

function reasonOf({ idp }: ScimChange, { deleted_at, active }: ScimUserRow, has: boolean): string {
  if (has) return `enabled at ${idp.name}`;
  if (deleted_at !== null) return `deleted at ${idp.name}`;
  if (active === 0) return `disabled at ${idp.name}`;
  return notInGroup(idp);
}

async function requireFree({ db }: ScimChange, user: ScimUserRow): Promise<void> {
  const other = await scimUserInTheWay(db, user);
  if (other === undefined) return;
  const what = other.live_name === user.user_name_key ? "userName" : "externalId";
  throw new ScimError(409, "uniqueness", `Another user has this ${what} already.`);
}

/** The columns of what a user is. */
function rowOf(
  base: Pick<ScimUserRow, "id" | "issuer" | "version" | "created_at_ms" | "changed_at_ms">,
  resource: Complex,
): ScimUserRow {
  const { userName, externalId } = resource;
  if (typeof userName !== "string" || userName.trim() === "" || userName.length > MOST_NAME)
    throw badRequest("invalidValue", `userName must be text of 1 to ${MOST_NAME} characters.`);
  if (typeof externalId === "string" && externalId.length > MOST_NAME)
    throw badRequest("invalidValue", `externalId has at most ${MOST_NAME} characters.`);
  const external_id = typeof externalId === "string" && externalId !== "" ? externalId : null;
  const user_name_key = userName.toLowerCase();
  const resource_json = canonicalJson({ ...resource, active: resource.active !== false });
  if (resource_json.length > MOST_JSON)
    throw badRequest("invalidValue", `A user has at most ${MOST_JSON} characters of JSON.`);
  const { id, issuer, version, created_at_ms, changed_at_ms } = base;
  return {
    ...{ id, issuer, version, created_at_ms, changed_at_ms },
    ...{ external_id, live_external_id: external_id },
    ...{ user_name: userName, user_name_key, live_name: user_name_key },
    email: primaryEmail(resource),
    active: resource.active === false ? 0 : 1,
    deleted_at: null,
    resource_json,
  };
}

function primaryEmail({ emails }: Complex): string | null {
  const values = (Array.isArray(emails) ? emails : []).filter(isObject) as Complex[];
  const { value } = values.find(({ primary }) => primary === true) ?? values[0] ?? {};
  return typeof value === "string" ? value.toLowerCase() : null;
}
