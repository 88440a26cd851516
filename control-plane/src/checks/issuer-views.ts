import type { IssuerView } from "@sallyport/core/messages/issuers.ts";
import { listIssuerStates } from "../database/issuer-states.ts";
import { findStream } from "../database/security-event-streams.ts";
import { liveGrants } from "../database/sign-in-grants.ts";
import type { Database } from "../database/tables.ts";
import type { IssuerConfiguration } from "../issuers/issuer-configuration.ts";

interface Needs {
  db: Database;
  config: { issuers: readonly IssuerConfiguration[] };
}

/** How it stands with each IdP of the configuration, in its order. `now` in milliseconds. */
export async function issuerViews({ db, config }: Needs, now: number): Promise<IssuerView[]> {
  const states = new Map((await listIssuerStates(db)).map((state) => [state.issuer, state]));
  const [kept, live, lost] = [
    await counts(db.selectFrom("sign_in_grants")),
    await counts(liveGrants(db, now).where("lost_at_ms", "is", null)),
    await counts(db.selectFrom("sign_in_grants").where("lost_at_ms", "is not", null)),
  ];
  const views: IssuerView[] = [];
  for (const { issuer, name, check, securityEvents, scim } of config.issuers) {
    const state = states.get(issuer);
    const { by, every, timeout } = check;
    const backOff = state?.back_off_until_ms ?? 0;
    views.push({
      ...{ issuer, name, check: { by, every, timeout } },
      signIns: { kept: kept.get(issuer) ?? 0, live: live.get(issuer) ?? 0, lost: lost.get(issuer) ?? 0 },
      lastAnswerAt: second(state?.answered_at_ms),
      silentSince: second(state?.silent_since_ms),
      hostsToldAt: second(state?.told_at_ms),
      failures: state?.failures ?? 0,
      backOffUntil: backOff > now ? second(backOff) : null,
      problem: state?.problem ?? null,
      securityEvents: securityEvents === undefined ? null : await eventsOf(db, issuer),
      scim: scim === undefined ? null : await provisioning(db, issuer),
    });
  }
  return views;
}

/** By issuer. */
async function counts(grants: ReturnType<typeof allGrants>): Promise<Map<string, number>> {
  const rows = await grants
    .select(["issuer", ({ fn }) => fn.countAll<number>().as("count")])
    .groupBy("issuer")
    .execute();
  return new Map(rows.map(({ issuer, count }) => [issuer, Number(count)]));
}

function allGrants(db: Database) {
  return db.selectFrom("sign_in_grants");
}

async function eventsOf(db: Database, issuer: string): Promise<IssuerView["securityEvents"]> {
  const {
    status = null,
    received_at: lastReceivedAt = null,
    problem = null,
  } = (await findStream(db, issuer)) ?? {};
  return { status, lastReceivedAt, problem };
}

async function provisioning(db: Database, issuer: string): Promise<IssuerView["scim"]> {
  const row = await db
    .selectFrom("scim_users")
    .select(({ fn }) => [fn.countAll<number>().as("users"), fn.max("changed_at_ms").as("last")])
    .where("issuer", "=", issuer)
    .where("deleted_at", "is", null)
    .executeTakeFirst();
  return { users: Number(row?.users ?? 0), lastChangeAt: second(row?.last) };
}

function second(milliseconds: number | null | undefined): number | null {
  return milliseconds == null ? null : Math.floor(Number(milliseconds) / 1000);
}
