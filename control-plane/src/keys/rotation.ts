import { SallyportError } from "@sallyport/core/errors.ts";
import { type KeyKind, KeyStatement, signKeyStatement } from "@sallyport/core/messages/key-succession.ts";
import { fingerprint, formatPublicKeyLine, parsePublicKeyLine } from "@sallyport/core/ssh/public-key.ts";
import { type AuditType, audit } from "../audit/audit.ts";
import type { Configuration } from "../config/configuration.ts";
import {
  addSuccession,
  finishSuccession,
  hostKeys,
  keySuccessions,
  switchKey,
} from "../database/key-successions.ts";
import { inTransaction } from "../database/open-database.ts";
import type { Database, KeySuccessionsTable } from "../database/tables.ts";
import { type Environment, seconds } from "../environment.ts";
import { PROGRAM_NAME } from "../program-name.ts";
import type { Keys } from "./keys.ts";

/** A host that was not heard from for so many seconds holds nobody up; it gets what it missed when it is back. */
const RECENT = 7 * 86_400;
/** Other processes look at their keys every second (key-watch.ts): for so many they may still speak of the old one alone. */
const HEARD_OF = 60;

/** What rotating needs. */
export interface RotationNeeds {
  db: Database;
  environment: Pick<Environment, "clock" | "random">;
  keys: Keys;
  config: Pick<Configuration, "url" | "certificateLifetime">;
}

/** How the rotation of a kind stands, for people. */
export interface RotationState {
  kind: KeyKind;
  /** Fingerprint of the key that signs. */
  signing: string;
  /** The succession that is not finished. */
  open: KeySuccessionsTable | undefined;
  /** What has to happen before the next step; empty when nothing has to. */
  waitsFor: string[];
}

/**
 * Begins the rotation of a kind: the next key is the one that the configuration has in an agent and that was not used
 * before, else a new file. Hosts come to trust both. Codes `conflict` while another rotation of this kind goes on, and
 * `key-unavailable`.
 */
export async function beginRotation(needs: RotationNeeds, kind: KeyKind): Promise<RotationState> {
  const { db, environment, keys, config } = needs;
  const chain = (await keySuccessions(db)).filter((succession) => succession.kind === kind);
  if (chain.at(-1)?.finished_at === null) throw conflict(`A rotation of ${kind} goes on already.`);
  const old = keys.signing(kind);
  const used = new Set([
    formatPublicKeyLine(old.publicKey),
    ...chain.flatMap((succession) => [succession.old_key, succession.new_key]),
  ]);
  const begunAt = seconds(environment.clock);
  const inAgent = keys.ring.inAgents(kind).find(({ publicKey }) => !used.has(formatPublicKeyLine(publicKey)));
  const next = inAgent ?? keys.ring.createNext(kind, begunAt);
  // Whether it signs is better known before anybody trusts it.
  await next.sign(Buffer.from("sallyport-key-test\0"));
  const statement = await signKeyStatement(
    { type: "succession", controlPlane: config.url, kind, at: begunAt },
    { old: old.publicKey, new: next.publicKey, signer: old },
  );
  await inTransaction(db, async (db) => {
    const succession = {
      kind,
      number: chain.length + 1,
      old_key: statement.old,
      new_key: statement.new,
      succession_json: JSON.stringify(statement),
      retirement_json: null,
      begun_at: begunAt,
      switched_at: null,
      finished_at: null,
    };
    if (!(await addSuccession(db, succession))) throw conflict(`A rotation of ${kind} goes on already.`);
    await tell(db, needs, "key-rotation-begun", succession, {});
  });
  return rotationState(needs, kind);
}

/** Has the new key sign when nothing has to be waited for, or by `force`; true when it was this call that did it. */
export async function switchWhenReady(needs: RotationNeeds, kind: KeyKind, force: boolean): Promise<boolean> {
  const { open, waitsFor } = await rotationState(needs, kind);
  if (open === undefined || open.switched_at !== null || (waitsFor.length > 0 && !force)) return false;
  return inTransaction(needs.db, async (db) => {
    const switched = await switchKey(db, open, seconds(needs.environment.clock));
    if (switched) await tell(db, needs, "key-rotation-switched", open, { force, waitsFor });
    return switched;
  });
}

/**
 * Ends a rotation: the new key says that the old one is over, and hosts stop trusting it. Code `conflict` while something
 * still hangs on the old key, unless by `force`: what that was is refused then.
 */
export async function finishRotation(needs: RotationNeeds, kind: KeyKind, force: boolean): Promise<void> {
  const { db, environment, keys, config } = needs;
  const { open, waitsFor } = await rotationState(needs, kind);
  if (open === undefined)
    throw conflict(
      `No rotation of ${kind} goes on. Begin one: ${PROGRAM_NAME} rotate-key --config FILE --kind ${kind}`,
    );
  if (open.switched_at === null)
    throw conflict(
      `The new ${kind} key does not sign yet: ${waitsFor.join("; ") || "it will in a moment, while the control plane runs"}.`,
    );
  if (waitsFor.length > 0 && !force)
    throw conflict(
      `Something hangs on the old ${kind} key yet: ${waitsFor.join("; ")}. Wait, or add --force.`,
    );
  const at = seconds(environment.clock);
  await keys.load(db);
  const statement = await signKeyStatement(
    { type: "retirement", controlPlane: config.url, kind, at },
    {
      old: parsePublicKeyLine(open.old_key),
      new: parsePublicKeyLine(open.new_key),
      signer: keys.signing(kind),
    },
  );
  await inTransaction(db, async (db) => {
    const finished = await finishSuccession(db, open, { retirement: JSON.stringify(statement), at });
    if (!finished) throw conflict("Somebody else has finished it.");
    await tell(db, needs, "key-rotation-finished", open, { force, waitsFor });
  });
  await keys.load(db);
}

/** How the rotation of a kind stands, and what its next step waits for. */
export async function rotationState(needs: RotationNeeds, kind: KeyKind): Promise<RotationState> {
  await needs.keys.load(needs.db);
  const signing = fingerprint(needs.keys.signing(kind).publicKey.blob);
  const last = (await keySuccessions(needs.db)).findLast((succession) => succession.kind === kind);
  const open = last?.finished_at === null ? last : undefined;
  return { kind, signing, open, waitsFor: open === undefined ? [] : await obstacles(needs, kind, open) };
}

/**
 * What was signed for hosts, in order, but what was over before `since`: a host that enrolled then can go through it from
 * the keys that it trusts to those that sign now, whatever it missed.
 */
export async function keyStatements(db: Database, since: number): Promise<KeyStatement[]> {
  const all = await keySuccessions(db);
  const successions = all.filter(({ finished_at }) => finished_at === null || finished_at >= since);
  return successions
    .flatMap(({ succession_json, retirement_json }) => [succession_json, retirement_json ?? []].flat())
    .map((json) => KeyStatement.parse(JSON.parse(json)));
}

async function obstacles(
  { db, environment, config }: RotationNeeds,
  kind: KeyKind,
  open: KeySuccessionsTable,
): Promise<string[]> {
  const now = seconds(environment.clock);
  const hosts = await hostKeys(db, now - RECENT);
  const key = fingerprint(parsePublicKeyLine(open.new_key).blob);
  const untold = hosts.filter(({ pinned }) => !pinned.includes(key)).map(({ name }) => name);
  const found = untold.length === 0 ? [] : [`hosts that have not the new key yet: ${some(untold)}`];
  const until = (since: number, what: string) => {
    const end = since + HEARD_OF + config.certificateLifetime;
    return end <= now ? [] : [`${what} until ${new Date(end * 1000).toISOString()}`];
  };
  if (kind === "host-ca") {
    if (open.switched_at === null)
      return [...found, ...until(open.begun_at, "contractors whose ssh has not heard of the new key")];
    const old = hosts.filter(({ certifiedBy }) => certifiedBy.some((ca) => ca !== key));
    const names = old.map(({ name }) => name);
    return names.length === 0 ? found : [...found, `hosts with certificates of the old key: ${some(names)}`];
  }
  if (kind === "user-ca" && open.switched_at !== null)
    return [...found, ...until(open.switched_at, "certificates of the old key may be valid")];
  return found;
}

function some(names: readonly string[]): string {
  const more = names.length - 10;
  return names.slice(0, 10).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

async function tell(
  db: Database,
  { environment }: RotationNeeds,
  type: AuditType,
  { kind, old_key, new_key }: KeySuccessionsTable,
  more: Record<string, unknown>,
): Promise<void> {
  const name = (line: string) => fingerprint(parsePublicKeyLine(line).blob);
  const data = { kind, old: name(old_key), new: name(new_key), ...more };
  await audit(db, environment, { type, actor: "command line", data });
}

function conflict(message: string): SallyportError {
  return new SallyportError("conflict", message);
}
