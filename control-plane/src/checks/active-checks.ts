import { readFileSync } from "node:fs";
import { SallyportError } from "@sallyport/core/errors.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import { issuerState } from "../database/issuer-states.ts";
import { inTransaction } from "../database/open-database.ts";
import {
  claimGrant,
  deleteGrant,
  dueGrants,
  findGrant,
  hintGrants,
  releaseAllGrants,
  type SignInGrant,
} from "../database/sign-in-grants.ts";
import type { Database } from "../database/tables.ts";
import { isPostgres } from "../database/write-lock.ts";
import { type Environment, randomToken, seconds } from "../environment.ts";
import type { IssuerConfiguration } from "../issuers/issuer-configuration.ts";
import type { IssuerKeys } from "../issuers/issuer-keys.ts";
import type { GrantSealing } from "../keys/grant-sealing.ts";
import { errorFields } from "../log.ts";
import { type AnnouncementNeeds, announce } from "../revocations/announce.ts";
import { askByIntrospection, askByRefresh, revokeAtIssuer } from "./ask-issuer.ts";
import { AtOnce } from "./at-once.ts";
import { GrantSweep } from "./grant-sweep.ts";
import { IssuerEndpoints } from "./issuer-endpoints.ts";
import { grantOwner, keepsGrants } from "./keep-grant.ts";
import { type Answered, type CheckOutcome, HINTS_APART, takeAnswer } from "./take-answer.ts";
import { verifyFresh } from "./verify-fresh.ts";

/** How often it is looked who is to be asked about, in milliseconds. */
const LOOK_MS = 500;
/** Of those that are due, so many are taken in hand with one look. */
const LOOK_AT = 500;
/** An ID token of the last check is as good as one asked for now, for so long, in milliseconds. */
const FRESH_MS = 10_000;
/** How long a claim outlives the answer's time, in milliseconds: for storing it. */
const CLAIM_MS = 15_000;
/** After so many failures in a row nobody waits for another. */
const GIVES_UP = 3;
const POLL_MS = 200;
/** Together shorter than a claim. */
const [STORE_ATTEMPTS, STORE_PAUSE_MS] = [10, 1000];

/** What {@link ActiveChecks} needs. */
export interface ActiveChecksNeeds {
  db: Database;
  environment: Environment;
  sealing: GrantSealing;
  config: { issuers: readonly IssuerConfiguration[] };
  issuerKeys: Pick<IssuerKeys, "ready" | "known">;
  hosts: AnnouncementNeeds["hosts"] & { publishBundles(): Promise<unknown> };
}

interface HowToAsk {
  by: IssuerConfiguration["check"]["by"];
  /** Not where somebody else has asked meanwhile. */
  onlyDue: boolean;
}

/** Asks IdPs, all the time, whether the people with a live certificate or session are still theirs. */
export class ActiveChecks {
  readonly #needs: ActiveChecksNeeds;
  readonly #replica: string;
  readonly #endpoints: IssuerEndpoints;
  readonly #sweep: GrantSweep;
  readonly #secrets = new Map<string, string>();
  readonly #atOnce = new Map<string, AtOnce>();
  readonly #asking = new Map<string, Promise<CheckOutcome | undefined>>();
  readonly #besides = new Set<Promise<unknown>>();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();
  #isClosed = false;

  /** Code `config-invalid` when the secret of an introspection client cannot be read. */
  constructor(needs: ActiveChecksNeeds) {
    this.#needs = needs;
    this.#replica = randomToken(needs.environment.random, 9);
    this.#endpoints = new IssuerEndpoints(needs.environment.clock);
    this.#sweep = new GrantSweep(needs, {
      forgotten: (grants) => this.#forgetAtIssuers(grants),
      published: () => this.#publish(),
    });
    for (const { issuer, check } of needs.config.issuers.filter(keepsGrants)) {
      this.#atOnce.set(issuer, new AtOnce(check.concurrency));
      const file = check.introspection?.clientSecretFile;
      if (file !== undefined) this.#secrets.set(issuer, readSecret(file));
    }
  }

  /** Begins to ask. */
  async start(): Promise<void> {
    const { db, environment, config } = this.#needs;
    for (const { issuer } of config.issuers.filter((one) => keepsGrants(one) && !one.check.required))
      environment.log.warn("who signs in without a refresh token is let in, and nobody is asked about them", {
        issuer,
        key: "check.required",
      });
    if (!isPostgres(db)) await releaseAllGrants(db);
    this.#lookAgain(0);
  }

  /** Resolves when nobody is being asked any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#looking;
    await Promise.all([...this.#asking.values(), ...this.#besides]);
  }

  /**
   * A fresh ID token for the sign-in with this key: that of the last check where it is at most 10 s old, else asked for now; who asks
   * meanwhile gets the same one. It came from the IdP itself, verified against the sign-in, so it need not pass `acceptOnce`. Codes
   * `not-found` where no refresh token is kept for this key, or it is lost or brings no ID token: another sign-in is needed then, and
   * nothing was said of the person; `issuer-unreachable`; `no-longer-vouched` where the IdP says no.
   */
  async freshIdToken(keyFingerprint: string): Promise<string> {
    const { db, environment, sealing } = this.#needs;
    const until = Date.now() + 60_000;
    for (;;) {
      const grant = await findGrant(db, keyFingerprint);
      const issuer = grant && this.#issuer(grant.issuer);
      if (grant === undefined || issuer === undefined) throw noGrant();
      if (grant.renewable_until <= seconds(environment.clock)) throw noGrant();
      if (grant.lost_at_ms !== null) throw lost(issuer);
      if (grant.fresh_sealed !== null && grant.fresh_at_ms > environment.clock() - FRESH_MS)
        return sealing.open(grant.fresh_sealed, grantOwner(grant.issuer, keyFingerprint, "ID token"));
      await this.#requireAnswering(issuer);
      const outcome = await this.#ask(keyFingerprint, { by: "refresh", onlyDue: false });
      // An introspection that was under way vouches, and brings none.
      if (outcome?.kind === "vouched" && outcome.idToken === undefined) continue;
      if (outcome !== undefined) return tokenOf(outcome, issuer);
      // Another replica asks about them at this moment.
      if (Date.now() > until) throw unreachable(issuer, "another replica has been asking for too long");
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** Something may have changed about somebody: they are asked about at once, at most every 10 s. Never throws. */
  checkNow(issuer: string, subject: string): void {
    const { db, environment } = this.#needs;
    const hinted = inTransaction(db, (db) =>
      hintGrants(db, { issuer, subject }, environment.clock(), HINTS_APART),
    ).then(() => this.#lookAgain(0));
    this.#beside(hinted, "a hint to check somebody was not noted");
  }

  /** Forgets the refresh token of a sign-in that its owner has ended, and tells the IdP; false where there is none. */
  async forget(keyFingerprint: string): Promise<boolean> {
    const { db, environment } = this.#needs;
    const grant = await findGrant(db, keyFingerprint);
    // Of a sign-in with the same key that came meanwhile nobody has ended the renewal.
    if (grant === undefined || grant.renewable_until > seconds(environment.clock)) return false;
    if (!(await deleteGrant(db, grant))) return false;
    this.#forgetAtIssuers([grant]);
    return true;
  }

  #issuer(name: string): IssuerConfiguration | undefined {
    return this.#needs.config.issuers.find((one) => one.issuer === name && keepsGrants(one));
  }

  #lookAgain(after: number): void {
    if (this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#looking = this.#looking
        .then(() => this.#look())
        .catch((error: unknown) =>
          this.#needs.environment.log.error("it cannot be seen whom to check", errorFields(error)),
        )
        .finally(() => this.#lookAgain(LOOK_MS));
    }, after);
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    const { db, environment, config } = this.#needs;
    await this.#sweep.run();
    for (const { issuer } of config.issuers.filter(keepsGrants)) {
      const atOnce = this.#atOnce.get(issuer);
      if (atOnce === undefined || this.#isClosed) return;
      const now = environment.clock();
      const state = await issuerState(db, issuer);
      const isFailing = state !== undefined && state.failures > 0;
      if (isFailing && state.back_off_until_ms > now) continue;
      // One question tells whether it answers again.
      const wanted = isFailing ? (atOnce.running === 0 ? 1 : 0) : LOOK_AT - atOnce.size;
      const due = wanted > 0 ? await dueGrants(db, issuer, now, wanted) : [];
      for (const key of due)
        atOnce
          .add(key, () => this.#check(key))
          .catch((error: unknown) =>
            environment.log.error("somebody could not be checked", errorFields(error)),
          );
    }
  }

  async #check(key: string): Promise<void> {
    const grant = await findGrant(this.#needs.db, key);
    const issuer = grant && this.#issuer(grant.issuer);
    if (grant === undefined || issuer === undefined || this.#isClosed) return;
    // The IdP may have gone while this was waiting.
    if (await this.#isBackingOff(issuer, this.#needs.environment.clock())) return;
    await this.#ask(key, { by: issuer.check.by, onlyDue: true });
  }

  async #isBackingOff({ issuer }: IssuerConfiguration, now: number): Promise<boolean> {
    const state = await issuerState(this.#needs.db, issuer);
    return state !== undefined && state.failures > 0 && state.back_off_until_ms > now;
  }

  /** Asks, unless somebody in this process does: then theirs is the outcome. Undefined where another replica does. */
  #ask(key: string, how: HowToAsk): Promise<CheckOutcome | undefined> {
    const running = this.#asking.get(key);
    if (running !== undefined) return running;
    const asking = this.#askOnce(key, how).finally(() => this.#asking.delete(key));
    this.#asking.set(key, asking);
    asking.catch(() => {});
    return asking;
  }

  async #askOnce(key: string, how: HowToAsk): Promise<CheckOutcome | undefined> {
    const { db, environment, config, issuerKeys } = this.#needs;
    const claim = `${this.#replica}.${randomToken(environment.random, 9)}`;
    const askedAt = environment.clock();
    const grant = await inTransaction(db, (db) =>
      claimGrant(db, key, {
        by: claim,
        now: askedAt,
        until: askedAt + this.#longest(),
        onlyDue: how.onlyDue,
      }),
    );
    const issuer = grant && this.#issuer(grant.issuer);
    if (grant === undefined || issuer === undefined) return undefined;
    const refreshToken = this.#open(grant);
    if (refreshToken === undefined) {
      const answer = { kind: "refuses", answer: "the stored refresh token does not open" } as const;
      return this.#take({
        grant: { ...grant, in_doubt: 1 },
        issuer,
        claim,
        askedAt,
        answer,
        fresh: undefined,
      });
    }
    const introspectionSecret = this.#secrets.get(issuer.issuer);
    const question = { issuer, introspectionSecret, subject: grant.subject, refreshToken };
    const ask = how.by === "introspection" ? askByIntrospection : askByRefresh;
    const answer = await ask(this.#endpoints, question);
    const fresh =
      answer.kind === "vouches" && how.by !== "introspection"
        ? await verifyFresh(
            { clock: environment.clock, issuers: config.issuers, issuerKeys },
            grant,
            issuer,
            answer.idToken,
          )
        : undefined;
    return this.#take({ grant, issuer, claim, askedAt, answer, fresh });
  }

  /** Stores an answer; a database that is away is waited for, as the new refresh token is nowhere else. */
  async #take(answered: Answered): Promise<CheckOutcome> {
    const { issuer } = answered;
    let outcome: CheckOutcome | undefined;
    for (let attempt = 1; outcome === undefined; attempt++) {
      try {
        outcome = await takeAnswer(this.#needs, answered);
      } catch (error) {
        if (attempt === STORE_ATTEMPTS) throw error;
        this.#needs.environment.log.warn("an IdP's answer is not stored yet", errorFields(error));
        await new Promise((resolve) => setTimeout(resolve, STORE_PAUSE_MS));
      }
    }
    announce(this.#needs, outcome.entries);
    if (outcome.isHeardAgain) this.#publish();
    if (outcome.unneeded !== undefined) this.#revokeAtIssuer(issuer, outcome.unneeded);
    return outcome;
  }

  /** The refresh token; undefined where it does not open, which is told of. */
  #open({ issuer, key_fingerprint: key, token_sealed }: SignInGrant): string | undefined {
    try {
      return this.#needs.sealing.open(token_sealed, grantOwner(issuer, key));
    } catch (error) {
      this.#needs.environment.log.error("a stored refresh token does not open", {
        key,
        ...errorFields(error),
      });
      return undefined;
    }
  }

  #longest(): number {
    const longest = Math.max(...this.#needs.config.issuers.map(({ check }) => check.timeout));
    return 2 * longest * 1000 + CLAIM_MS;
  }

  async #requireAnswering(issuer: IssuerConfiguration): Promise<void> {
    const state = await issuerState(this.#needs.db, issuer.issuer);
    const now = this.#needs.environment.clock();
    if (state === undefined || state.failures < GIVES_UP || state.back_off_until_ms <= now) return;
    throw unreachable(issuer, state.problem ?? "no answer");
  }

  #publish(): void {
    this.#beside(this.#needs.hosts.publishBundles(), "hosts were not told whether an IdP answers");
  }

  #forgetAtIssuers(grants: readonly SignInGrant[]): void {
    for (const grant of grants) {
      const issuer = this.#needs.config.issuers.find((one) => one.issuer === grant.issuer);
      const token = issuer === undefined || grant.token_sealed === "" ? undefined : this.#open(grant);
      if (issuer !== undefined && token !== undefined) this.#revokeAtIssuer(issuer, token);
    }
  }

  #revokeAtIssuer(issuer: IssuerConfiguration, token: string): void {
    const atOnce = this.#atOnce.get(issuer.issuer);
    const revoke = () => revokeAtIssuer(this.#endpoints, issuer, token);
    this.#beside(
      atOnce === undefined ? revoke() : atOnce.add(token, revoke),
      "an IdP could not be told that a refresh token is not needed",
    );
  }

  #beside(work: Promise<unknown>, failure: string): void {
    const noted = work
      .catch((error: unknown) => this.#needs.environment.log.warn(failure, errorFields(error)))
      .finally(() => this.#besides.delete(noted));
    this.#besides.add(noted);
  }
}

function readSecret(file: string): string {
  try {
    const secret = readFileSync(file, "utf8").trimEnd();
    if (secret !== "") return secret;
  } catch (cause) {
    throw new SallyportError(
      "config-invalid",
      `The introspection client's secret in ${file} cannot be read.`,
      {
        cause,
      },
    );
  }
  throw new SallyportError("config-invalid", `The introspection client's secret in ${file} is empty.`);
}

function tokenOf({ kind, detail, idToken }: CheckOutcome, issuer: IssuerConfiguration): string {
  if (idToken !== undefined) return idToken;
  if (kind === "gone") throw noGrant();
  if (kind === "lost") throw lost(issuer);
  if (kind === "silent") throw unreachable(issuer, detail);
  throw new SallyportError(
    "no-longer-vouched",
    `${printable(issuer.name)} no longer vouches for you (${detail}). Sign in again: sallyport login. If that is refused, ask ` +
      "whom you work for.",
  );
}

function noGrant(): SallyportError {
  return new SallyportError(
    "not-found",
    "The control plane keeps no refresh token of this sign-in. Sign in again: sallyport login",
  );
}

function lost(issuer: IssuerConfiguration): SallyportError {
  return new SallyportError(
    "not-found",
    `Your sign-in can no longer be checked at ${printable(issuer.name)}. Sign in again: sallyport login`,
  );
}

function unreachable(issuer: IssuerConfiguration, problem: string): SallyportError {
  return new SallyportError(
    "issuer-unreachable",
    `${printable(issuer.name)} cannot be asked whether it still vouches for you: ${problem}. Try again in a minute.`,
  );
}
