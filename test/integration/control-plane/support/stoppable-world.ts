import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { pinIdentity, saveMember } from "@sallyport/control-plane/database/members.ts";
import type { Database } from "@sallyport/control-plane/database/tables.ts";
import type { Trust } from "@sallyport/core/messages/trust.ts";
import { until } from "../../../../demo/light-host/until.ts";
import { call } from "./client.ts";
import { enrol } from "./host.ts";
import { KillablePlane } from "./killable-plane.ts";
import { PersistentClient } from "./persistent-client.ts";
import { RevocableHost } from "./revocable-host.ts";
import { tokenFiles } from "./scim-client.ts";
import { SsfTransmitter } from "./ssf-transmitter.ts";

const STOP_AT_STEP = resolve(import.meta.dirname, "stop-at-step.ts");
const WITHIN_MS = 20_000;

export const SCIM_TOKEN = "idp-scim-token-of-32-characters-or-more";

/** A control plane that stops where it is told to (see stop-at-step.ts), its IdP, and three hosts of it. */
export class StoppableWorld {
  readonly plane: KillablePlane;
  readonly transmitter: SsfTransmitter;
  readonly hosts: RevocableHost[] = [];
  #db: Database | undefined;
  #admin = "";
  #people = 0;
  readonly #files: ReturnType<typeof tokenFiles>;

  private constructor(
    plane: KillablePlane,
    transmitter: SsfTransmitter,
    files: ReturnType<typeof tokenFiles>,
  ) {
    this.plane = plane;
    this.transmitter = transmitter;
    this.#files = files;
  }

  static async begin(): Promise<StoppableWorld> {
    const transmitter = await SsfTransmitter.start();
    const files = tokenFiles({ scim: `${SCIM_TOKEN}\n` });
    const plane = await KillablePlane.prepare(
      "version: 1\nmembers: []\nengagements: []\n",
      { staff: [{ email: "admin@acme.test", role: "admin" }] },
      { scim: { tokenFile: files.path("scim") }, securityEvents: { issuer: transmitter.url } },
    );
    transmitter.audience = plane.url;
    plane.preload = pathToFileURL(STOP_AT_STEP).href;
    await plane.start();
    const world = new StoppableWorld(plane, transmitter, files);
    world.#db = await plane.database();
    world.#admin = (await new PersistentClient(plane).token("admin")).token;
    const trust = (await call(plane.url, "GET", "/trust")).body as Trust;
    const place = { server: plane.url, trust, directory: plane.directory };
    for (const name of ["web-1", "web-2", "away-1"])
      world.hosts.push(new RevocableHost(await enrol(plane.url, await world.#joinToken(name)), place));
    for (const host of world.hosts) host.connect();
    return world;
  }

  get db(): Database {
    return this.#db ?? assert.fail("not open");
  }

  /** Of an admin. */
  get token(): string {
    return this.#admin;
  }

  async close(): Promise<void> {
    for (const host of this.hosts) host.close();
    await this.#db?.destroy();
    await this.plane.close();
    await this.transmitter.close();
    this.#files.remove();
    assert.deepEqual(this.transmitter.violations, []);
  }

  /** Somebody who has signed in once, and has a session on each host: their subject. */
  async person(): Promise<string> {
    const { issuer } = this.plane.idp;
    const subject = `person-${this.#people++}`;
    const id = `mem_${String(this.#people).padStart(26, "0")}`;
    await saveMember(this.db, { id, name: subject, email: null, vendor: "v", created_at: 0, account: null });
    await pinIdentity(this.db, { issuer, subject, member_id: id, pinned_at: 0 });
    const login = { certificateSerial: "", keyFingerprint: "", memberId: id, engagementId: "", vendors: [] };
    for (const host of this.hosts) host.sessions.push({ ...login, issuer, subject, signedInAt: 1 });
    return subject;
  }

  /** Waits until something is so, while whoever is asked may be dead. */
  async untilSo(isSo: () => boolean | Promise<boolean>, otherwise: string): Promise<void> {
    const look = async () => isSo();
    const isIt = await until(() => look().catch(() => false), WITHIN_MS);
    assert.ok(isIt, `${otherwise}\n${this.plane.lastLines}`);
  }

  /** True while the program is at the step where it was to stop. */
  get isStopped(): boolean {
    const { pid } = this.plane;
    return pid !== undefined && /\) T /.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  }

  /** Kills the program where it is, looks at what is left, and starts it again, with all hosts. */
  async restart(): Promise<void> {
    await this.plane.kill();
    for (const host of this.hosts) await host.cutOff();
    await this.nothingIsFalse();
    await this.plane.start();
    for (const host of this.hosts) host.connect();
  }

  /** The revocation list. */
  list() {
    return this.db.selectFrom("revocations").selectAll().orderBy("sequence").execute();
  }

  /** How many `revoked` events name this target. */
  async eventsOf(target: string): Promise<number> {
    const events = this.db.selectFrom("audit_events").select("id").where("type", "=", "revoked");
    return (await events.where("data_json", "like", `%${target}%`).execute()).length;
  }

  /** These hosts have the whole list, and the database has their word for it. */
  async have(hosts: readonly RevocableHost[] = this.hosts): Promise<boolean> {
    const newest = (await this.list()).length;
    const said = await this.#said();
    return hosts.every(
      ({ host, sequence, isConnected }) => isConnected && sequence === newest && said.get(host.id) === newest,
    );
  }

  /** What holds at any moment, whoever is dead. */
  async nothingIsFalse(): Promise<void> {
    const rows = await this.list();
    assert.deepEqual(
      rows.map(({ sequence }) => sequence),
      rows.map((_, index) => index + 1),
    );
    const said = await this.#said();
    for (const { host, policy, acknowledged, wrong, sequence } of this.hosts) {
      assert.deepEqual(wrong, [], host.name);
      assert.ok(sequence <= rows.length, `${host.name} was told of what is not stored`);
      assert.equal(policy.list.chain, rows[sequence - 1]?.chain ?? policy.list.chain, host.name);
      const stored = said.get(host.id) ?? 0;
      assert.ok(stored <= acknowledged, `${host.name} is said to have ${stored}, and said ${acknowledged}`);
    }
  }

  /** How far each host has the list, as the database has it. */
  async #said(): Promise<Map<string, number>> {
    const rows = await this.db.selectFrom("hosts").select(["id", "revocation_sequence"]).execute();
    return new Map(rows.map(({ id, revocation_sequence }) => [id, revocation_sequence]));
  }

  async #joinToken(name: string): Promise<string> {
    const body = { name, address: "127.0.0.1", port: 7302, labels: {} };
    const answer = await call(this.plane.url, "POST", "/join-tokens", { token: this.#admin, body });
    return (answer.body as { joinToken: string }).joinToken;
  }
}
