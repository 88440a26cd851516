import type { Revocation } from "@sallyport/core/policy/revocation.ts";
import { audit } from "../audit/audit.ts";
import {
  changeScimGroupMembers,
  countScimGroups,
  deleteScimGroup,
  type ScimGroupRow,
  saveScimGroup,
  scimGroupById,
  scimGroupByName,
  scimGroupMembers,
} from "../database/scim-groups.ts";
import { scimUsersById } from "../database/scim-users.ts";
import { newId } from "../environment.ts";
import { actorOf, followAccess, notInGroup, type ScimChange } from "./access.ts";
import { GROUPS } from "./attributes.ts";
import { applyPatch } from "./patch.ts";
import { checkIfMatch } from "./preconditions.ts";
import { type Complex, isObject, readResource } from "./resource.ts";
import { badRequest, ScimError } from "./scim-error.ts";

/** Of one IdP. */
const MOST_GROUPS = 1000;
const MOST_NAME = 320;

/** What a change came to: the group as it is now, and what hosts are to be told once it is committed. */
export interface ChangedGroup {
  group: ScimGroupRow;
  members: readonly string[];
  entries: Revocation[];
}

/** A group by what is stored of it. */
interface GroupState {
  group: ScimGroupRow;
  members: readonly string[];
}

/** `POST /Groups`. Throws a `ScimError`: 409 where the name is taken. */
export async function createGroup(change: ScimChange, body: unknown): Promise<ChangedGroup> {
  const { db, environment, idp } = change;
  if ((await countScimGroups(db, idp.issuer)) >= MOST_GROUPS)
    throw badRequest("invalidValue", `There are ${MOST_GROUPS} groups already.`);
  const now = environment.clock();
  const base = { id: newId(environment, "scg"), issuer: idp.issuer, version: 1 };
  const state = stateOf({ ...base, created_at_ms: now, changed_at_ms: now }, readResource(GROUPS, body));
  return store(change, undefined, state);
}

/** `PUT /Groups/ID`. Throws a `ScimError`. */
export async function replaceGroup(
  change: ScimChange,
  id: string,
  { body, ifMatch }: { body: unknown; ifMatch: string | undefined },
): Promise<ChangedGroup> {
  return update(change, id, ifMatch, () => readResource(GROUPS, body));
}

/** `PATCH /Groups/ID`. Throws a `ScimError`. */
export async function patchGroup(
  change: ScimChange,
  id: string,
  { body, ifMatch }: { body: unknown; ifMatch: string | undefined },
): Promise<ChangedGroup> {
  return update(change, id, ifMatch, (resource) => applyPatch(GROUPS, { ...resource, id }, body));
}

/** `DELETE /Groups/ID`: where it gave access, nobody has it any more. Throws a `ScimError`. */
export async function deleteGroup(
  change: ScimChange,
  id: string,
  ifMatch: string | undefined,
): Promise<Revocation[]> {
  const before = await findGroup(change, id);
  checkIfMatch(ifMatch, before.group.version);
  await deleteScimGroup(change.db, id);
  await note(change, before.group, { added: [], removed: before.members });
  return followGroup(change, before, undefined);
}

/** The group of this IdP with this id, and its members. Throws a `ScimError` with 404. */
export async function findGroup({ db, idp }: ScimChange, id: string): Promise<GroupState> {
  const group = await scimGroupById(db, idp.issuer, id);
  if (group === undefined) throw new ScimError(404, undefined, `There is no group ${id.slice(0, 100)}.`);
  return { group, members: await scimGroupMembers(db, id) };
}

async function update(
  change: ScimChange,
  id: string,
  ifMatch: string | undefined,
  edit: (resource: Complex) => Complex,
): Promise<ChangedGroup> {
  const before = await findGroup(change, id);
  checkIfMatch(ifMatch, before.group.version);
  const resource: Complex = {
    ...(before.group.external_id !== null && { externalId: before.group.external_id }),
    displayName: before.group.display_name,
    ...(before.members.length > 0 && { members: before.members.map((value) => ({ value })) }),
  };
  return store(change, before, stateOf(before.group, edit(resource)));
}

async function store(
  change: ScimChange,
  before: GroupState | undefined,
  after: GroupState,
): Promise<ChangedGroup> {
  const { db, environment } = change;
  const [had, has] = [new Set(before?.members), new Set(after.members)];
  const added = [...has].filter((id) => !had.has(id));
  const removed = [...had].filter((id) => !has.has(id));
  const isSame =
    before !== undefined &&
    before.group.display_name === after.group.display_name &&
    before.group.external_id === after.group.external_id;
  if (isSame && added.length + removed.length === 0) return { ...before, entries: [] };
  await requireFree(change, after.group);
  await requireUsers(change, added);
  const version = before === undefined ? 1 : before.group.version + 1;
  const group = { ...after.group, version, changed_at_ms: environment.clock() };
  await saveScimGroup(db, group);
  await changeScimGroupMembers(db, group.id, { added, removed });
  await note(change, group, { added, removed });
  return { group, members: after.members, entries: await followGroup(change, before, after) };
}

/** Enables who has come into the group that gives access, and disables who has left it. */
async function followGroup(
  change: ScimChange,
  before: GroupState | undefined,
  after: GroupState | undefined,
): Promise<Revocation[]> {
  const { db, idp } = change;
  const members = (state: GroupState | undefined) =>
    new Set(state?.group.display_key === idp.requireGroup?.toLowerCase() ? state?.members : []);
  const [had, has] = [members(before), members(after)];
  const moved = [...[...had].filter((id) => !has.has(id)), ...[...has].filter((id) => !had.has(id))];
  const entries: Revocation[] = [];
  for (const user of await scimUsersById(db, idp.issuer, moved)) {
    if (user.active === 0) continue;
    const isIn = has.has(user.id);
    const reason = isIn ? `enabled at ${idp.name}` : notInGroup(idp);
    entries.push(...(await followAccess(change, user, { had: !isIn, has: isIn, reason })));
  }
  return entries;
}

async function requireFree({ db, idp }: ScimChange, { id, display_name }: ScimGroupRow): Promise<void> {
  const other = await scimGroupByName(db, idp.issuer, display_name);
  if (other !== undefined && other.id !== id)
    throw new ScimError(409, "uniqueness", "Another group has this displayName already.");
}

/** Only users of the same IdP come into its groups. */
async function requireUsers({ db, idp }: ScimChange, ids: readonly string[]): Promise<void> {
  const there = new Set((await scimUsersById(db, idp.issuer, ids)).map(({ id }) => id));
  const missing = ids.find((id) => !there.has(id));
  if (missing !== undefined)
    throw badRequest("invalidValue", `There is no user ${missing.slice(0, 100)} to be a member.`);
}

async function note(
  { db, environment, idp, request }: ScimChange,
  { id, display_name }: ScimGroupRow,
  { added, removed }: { added: readonly string[]; removed: readonly string[] },
): Promise<void> {
  const group = { id, displayName: display_name, added: list(added), removed: list(removed) };
  const data = { way: "SCIM", issuer: idp.issuer, request, group };
  await audit(db, environment, { type: "idp-notice", actor: actorOf(idp), data });
}

/** An event of the audit log stays small. */
function list(ids: readonly string[]): { count: number; first: string[] } {
  return { count: ids.length, first: ids.slice(0, 100) };
}

function stateOf(
  base: Pick<ScimGroupRow, "id" | "issuer" | "version" | "created_at_ms" | "changed_at_ms">,
  { displayName, externalId, members }: Complex,
): GroupState {
  if (typeof displayName !== "string" || displayName.trim() === "" || displayName.length > MOST_NAME)
    throw badRequest("invalidValue", `displayName must be text of 1 to ${MOST_NAME} characters.`);
  if (typeof externalId === "string" && externalId.length > MOST_NAME)
    throw badRequest("invalidValue", `externalId has at most ${MOST_NAME} characters.`);
  const ids = (Array.isArray(members) ? members : []).map((member) => {
    const { value } = isObject(member) ? (member as Complex) : {};
    if (typeof value !== "string")
      throw badRequest("invalidValue", "A member has the id of a user as its value.");
    return value;
  });
  const { id, issuer, version, created_at_ms, changed_at_ms } = base;
  const group = {
    ...{ id, issuer, version, created_at_ms, changed_at_ms },
    external_id: typeof externalId === "string" && externalId !== "" ? externalId : null,
    display_name: displayName,
    display_key: displayName.toLowerCase(),
  };
  return { group, members: [...new Set(ids)] };
}
