import { RevocationIndex } from "@sallyport/core/policy/revocation.ts";
import { audit } from "../audit/audit.ts";
import { listEngagements } from "../database/engagements.ts";
import { type IssuerState, listIssuerStates, noteAnswered, noteTold } from "../database/issuer-states.ts";
import { inTransaction } from "../database/open-database.ts";
import { revocationOf, revocationSequence, revocationsAfter } from "../database/revocations.ts";
import {
  deleteGrant,
  LINGER_MS,
  listGrants,
  liveGrants,
  type SignInGrant,
} from "../database/sign-in-grants.ts";
import type { Database } from "../database/tables.ts";
import type { Environment } from "../environment.ts";
import type { IssuerConfiguration } from "../issuers/issuer-configuration.ts";
import { type AnnouncementNeeds, announce } from "../revocations/announce.ts";
import { revokeGrantKey } from "./revoke-grant.ts";

/** An IdP is silent when nothing came from it for so long, in milliseconds. */
export const SILENT_MS = 30_000;
/** How often the slow parts are looked after, in milliseconds. */
const SLOWLY_MS = 10_000;
/** Where somebody is in no engagement that would say. */
const DEFAULT_GRACE = 900;

interface Needs {
  db: Database;
  environment: Environment;
  config: { issuers: readonly IssuerConfiguration[] };
  hosts: AnnouncementNeeds["hosts"];
}

/** What a sweep causes, after it is stored. */
interface SweepEffects {
  /** Refresh tokens that nobody needs any more. */
  forgotten(grants: readonly SignInGrant[]): void;
  /** Hosts have to hear which IdPs are silent. */
  published(): void;
}

/**
 * What time brings for kept refresh tokens: which IdPs are silent, which tokens go because they are over or their owner's access was
 * revoked, and who loses access because they cannot be asked about for longer than their engagements allow.
 */
export class GrantSweep {
  readonly #needs: Needs;
  readonly #effects: SweepEffects;
  /** Entries of the revocation list that were looked at; undefined before the first look. */
  #sequence: number | undefined;
  #slowlyAt = Number.NEGATIVE_INFINITY;

  constructor(needs: Needs, effects: SweepEffects) {
    this.#needs = needs;
    this.#effects = effects;
  }

  async run(): Promise<void> {
    await this.#tellSilence();
    await this.#forgetRevoked();
    const now = this.#needs.environment.clock();
    if (Math.abs(now - this.#slowlyAt) < SLOWLY_MS) return;
    this.#slowlyAt = now;
    await this.#forgetOver(now);
    await this.#endUnaskable(now);
  }

  async #tellSilence(): Promise<void> {
    const { db, environment } = this.#needs;
    const now = environment.clock();
    for (const state of await listIssuerStates(db)) {
      if (state.silent_since_ms === null) continue;
      const isTold = state.told_at_ms !== null;
      if (!isTold && now - state.silent_since_ms <= SILENT_MS) continue;
      const isWanted = (await this.#live(state.issuer, now)) > 0;
      if (isTold === isWanted) continue;
      if (await inTransaction(db, (db) => (isWanted ? this.#begin(db, state) : this.#end(db, state))))
        this.#effects.published();
    }
  }

  async #begin(db: Database, { issuer, silent_since_ms, problem }: IssuerState): Promise<boolean> {
    const { environment } = this.#needs;
    if (!(await noteTold(db, issuer, environment.clock()))) return false;
    const since = Math.floor((silent_since_ms ?? 0) / 1000);
    environment.log.error(
      "an IdP has been silent; hosts refuse its people when the grace of their work is over",
      {
        ...{ issuer, since, problem },
      },
    );
    await audit(db, environment, {
      type: "idp-silent",
      actor: "active check",
      data: { issuer, since, problem },
    });
    return true;
  }

  /** Nobody is left to ask about, so nobody can tell. */
  async #end(db: Database, { issuer }: IssuerState): Promise<boolean> {
    const { environment } = this.#needs;
    const before = await noteAnswered(db, issuer, environment.clock());
    if (before === undefined) return false;
    const data = { issuer, answered: false, reason: "nobody is left to ask about" };
    await audit(db, environment, { type: "idp-answers", actor: "active check", data });
    return before.told_at_ms !== null;
  }

  async #live(issuer: string, now: number): Promise<number> {
    const row = await liveGrants(this.#needs.db, now)
      .select(({ fn }) => fn.countAll<number>().as("count"))
      .where("issuer", "=", issuer)
      .where("lost_at_ms", "is", null)
      .executeTakeFirst();
    return Number(row?.count ?? 0);
  }

  /** Tokens of whom or what was revoked are forgotten, whoever revoked it. */
  async #forgetRevoked(): Promise<void> {
    const { db } = this.#needs;
    const newest = await revocationSequence(db);
    const seen = this.#sequence;
    if (newest === seen) return;
    const grants = await listGrants(db);
    const vendors = new Map(
      (await db.selectFrom("members").select(["id", "vendor"]).execute()).map(({ id, vendor }) => [
        id,
        vendor,
      ]),
    );
    const index = new RevocationIndex(seen === undefined ? [] : await revocationsAfter(db, seen));
    const over: SignInGrant[] = [];
    for (const grant of grants) {
      const vendor = vendors.get(grant.member_id);
      const subject = {
        ...{ issuer: grant.issuer, subject: grant.subject, signedInAt: grant.signed_in_at },
        ...{ memberId: grant.member_id, keyFingerprint: grant.key_fingerprint },
        vendors: vendor === undefined ? [] : [vendor],
      };
      const entry =
        seen === undefined
          ? await revocationOf(db, subject)
          : index.find({ ...subject, certificateSerial: "", engagementId: "" });
      if (entry !== undefined) over.push(grant);
    }
    await this.#forget(over);
    this.#sequence = newest;
  }

  async #forgetOver(now: number): Promise<void> {
    const { db } = this.#needs;
    const second = Math.floor(now / 1000);
    const over = await db
      .selectFrom("sign_in_grants")
      .selectAll()
      .where("renewable_until", "<=", second)
      .where("claimed_until_ms", "<=", now)
      .execute();
    if (over.length === 0) return;
    const live = new Set(
      (
        await liveGrants(db, now - LINGER_MS)
          .select("key_fingerprint")
          .where("renewable_until", "<=", second)
          .execute()
      ).map(({ key_fingerprint }) => key_fingerprint),
    );
    await this.#forget(over.filter(({ key_fingerprint }) => !live.has(key_fingerprint)));
  }

  async #forget(grants: readonly SignInGrant[]): Promise<void> {
    if (grants.length === 0) return;
    const { db } = this.#needs;
    const gone = await inTransaction(db, async (db) => {
      const gone: SignInGrant[] = [];
      for (const grant of grants) if (await deleteGrant(db, grant)) gone.push(grant);
      return gone;
    });
    this.#effects.forgotten(gone);
  }

  /** Who cannot be asked about, although the IdP answers about others, or because the token was lost, keeps access for the grace only. */
  async #endUnaskable(now: number): Promise<void> {
    const { db, environment, config } = this.#needs;
    const silent = (await listIssuerStates(db)).flatMap((state) =>
      state.silent_since_ms === null ? [] : [state.issuer],
    );
    const doubtful = await liveGrants(db, now)
      .selectAll("sign_in_grants")
      .where(({ or, eb }) => or([eb("lost_at_ms", "is not", null), eb("failing_since_ms", "is not", null)]))
      .execute();
    for (const grant of doubtful) {
      const issuer = config.issuers.find((one) => one.issuer === grant.issuer);
      const since = grant.lost_at_ms ?? (silent.includes(grant.issuer) ? null : grant.failing_since_ms);
      if (issuer === undefined || since === null || now < since + 1000 * (await this.#graceOf(grant, now)))
        continue;
      const reason = `Your sign-in can no longer be checked at ${issuer.name}: sign in again`;
      const evidence = { effect: "not checked for too long", since: Math.floor(since / 1000) };
      const verdict = { issuerName: issuer.name, reason, evidence };
      const entries = await inTransaction(db, async (db) =>
        (await this.#isStill(db, grant)) ? revokeGrantKey(db, environment, grant, verdict) : [],
      );
      announce(this.#needs, entries);
    }
  }

  async #isStill(
    db: Database,
    { key_fingerprint, lost_at_ms, failing_since_ms }: SignInGrant,
  ): Promise<boolean> {
    const row = await db
      .selectFrom("sign_in_grants")
      .select(["lost_at_ms", "failing_since_ms"])
      .where("key_fingerprint", "=", key_fingerprint)
      .executeTakeFirst();
    return row !== undefined && row.lost_at_ms === lost_at_ms && row.failing_since_ms === failing_since_ms;
  }

  /** The shortest of their engagements, in seconds. */
  async #graceOf({ member_id }: SignInGrant, now: number): Promise<number> {
    const second = Math.floor(now / 1000);
    const engagements = await listEngagements(this.#needs.db, member_id);
    const graces = engagements
      .filter(({ end, ended }) => end > second && ended === null)
      .map(({ idpGrace }) => idpGrace);
    return graces.length === 0 ? DEFAULT_GRACE : Math.min(...graces);
  }
}
