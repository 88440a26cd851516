import assert from "node:assert/strict";
import { listAuditEvents } from "@sallyport/control-plane/database/audit-events.ts";
import {
  listRevocationViews,
  revocationViewById,
  sequencesOfRequest,
} from "@sallyport/control-plane/database/revocation-views.ts";
import { announce } from "@sallyport/control-plane/revocations/announce.ts";
import { storeIdentityNotice } from "@sallyport/control-plane/revocations/identity-notice.ts";
import { isSallyportError } from "@sallyport/core/errors.ts";
import type { RevocationLevel } from "@sallyport/core/policy/revocation.ts";
import { ISSUER, OTHER_ISSUER, type RevocationWorld, revocationWorld } from "./support/revocations.ts";

describe("revoking wholesale, and giving access back", () => {
  let world: RevocationWorld;
  beforeEach(async () => {
    world = await revocationWorld();
  });
  afterEach(() => world.db.destroy());
  const conflict = (error: unknown) => isSallyportError(error, "conflict");
  const onlyDana = { issuer: ISSUER, subject: "rita", vendor: "rival" };

  it("by identity reaches one sign-in name at one IdP, and not the member's others", async () => {
    await world.revoke("identity", `${ISSUER} dana`);
    assert.equal(await world.refused({}), "identity");
    assert.equal(await world.refused({ issuer: OTHER_ISSUER, subject: "d-4711" }), undefined);
    assert.equal(await world.refused({ ...onlyDana, memberId: world.rita }), undefined);
    const [view] = await listRevocationViews(world.db, { limit: 10 });
    assert.deepEqual([view?.level, view?.name], ["identity", `${ISSUER} dana`]);
  });

  it("by member reaches all of their identities", async () => {
    await world.revoke("member", "dana@vendor.test");
    assert.equal(await world.refused({}), "member");
    assert.equal(await world.refused({ issuer: OTHER_ISSUER, subject: "d-4711" }), "member");
  });

  it("by vendor and by IdP reaches their people and no others", async () => {
    await world.revoke("vendor", "vendor");
    assert.equal(await world.refused({}), "vendor");
    assert.equal(await world.refused({ ...onlyDana, memberId: world.rita }), undefined);
    await world.revoke("issuer", OTHER_ISSUER);
    assert.equal(await world.refused({ ...onlyDana, issuer: OTHER_ISSUER, memberId: world.rita }), "issuer");
  });

  it("knows an IdP by another of its issuer identifiers", async () => {
    assert.equal((await world.revoke("issuer", "https://old.idp.test")).target, ISSUER);
    assert.equal((await world.revoke("identity", "https://old.idp.test dana")).level, "identity");
  });

  const levels: [level: RevocationLevel, target: string][] = [
    ["member", "dana@vendor.test"],
    ["identity", `${ISSUER} dana`],
    ["vendor", "vendor"],
    ["issuer", ISSUER],
  ];
  for (const [level, target] of levels) {
    it(`ends the sign-ins of a ${level} until now, an IdP's clock that is ahead included, and none to come`, async () => {
      await world.signIn({}, 40);
      const { id } = await world.revoke(level, target, true);
      assert.equal(await world.refused({}), level);
      assert.equal(await world.refused({}, world.time.now + 40), level);
      assert.equal(await world.refused({}, world.time.now + 41), undefined);
      const view = await revocationViewById(world.db, id);
      assert.deepEqual([view?.kind, view?.before, view?.inForce], ["sign-ins", world.time.now + 41, true]);
      await assert.rejects(world.lift(level, target), conflict);
    });

    it(`gives a ${level} access back by another sign-in; what was before stays gone`, async () => {
      await world.signIn({}, 40);
      const { id } = await world.revoke(level, target);
      assert.equal(await world.refused({}, world.time.now + 9999), level);
      world.time.now += 10;
      const lifting = await world.lift(level, target);
      assert.equal(await world.refused({}, world.time.now - 10), level);
      assert.equal(await world.refused({}, world.time.now + 30), level, "a certificate of before");
      assert.equal(await world.refused({}, world.time.now + 31), undefined);
      const [after, before] = await listRevocationViews(world.db, { limit: 10 });
      assert.deepEqual([after?.id, after?.kind, after?.inForce], [lifting.id, "lifting", false]);
      assert.deepEqual([before?.id, before?.inForce], [id, false]);
      const { at, by, reason } = before?.lifted ?? {};
      assert.deepEqual([at, by, reason], [world.time.now, "sec", "back again"]);
      const [, event] = await listAuditEvents(world.db, 2);
      assert.equal(event?.type, "revocation-lifted");
      await assert.rejects(world.lift(level, target), conflict, "once");
      assert.deepEqual(
        world.announced.map(({ before }) => before === null),
        [true, false],
      );
    });

    it(`does not give a ${level} access back by ending their sign-ins`, async () => {
      await world.revoke(level, target);
      await assert.rejects(world.revoke(level, target, true), conflict);
      assert.equal(await world.refused({}, world.time.now + 9999), level);
    });
  }

  it("lifts once, though two ask at once", async () => {
    await world.revoke("member", world.dana);
    const both = await Promise.allSettled([
      world.lift("member", world.dana),
      world.lift("member", world.dana),
    ]);
    assert.deepEqual(both.map(({ status }) => status).toSorted(), ["fulfilled", "rejected"]);
    assert.equal((await listRevocationViews(world.db, { limit: 10 })).length, 2);
  });

  it("lifts by what the list has, also for a vendor that is no more", async () => {
    await world.revoke("vendor", "vendor");
    await world.db.updateTable("engagements").set({ vendor: "rival" }).execute();
    await world.db.updateTable("members").set({ vendor: "rival" }).execute();
    assert.equal((await world.lift("vendor", "vendor")).target, "vendor");
    const { target } = await world.revoke("identity", `${ISSUER} dana`);
    assert.equal((await world.lift("identity", target)).target, target);
  });

  it("does not lift what an IdP has disabled twice by an enable of another", async () => {
    const notice = { issuer: ISSUER, by: "SCIM", reason: "", evidence: {} };
    const tell = (subject: string, effect: "disable" | "enable") =>
      storeIdentityNotice(world.db, world.environment, { ...notice, subject, effect });
    await tell("dana", "disable");
    await tell("rita", "enable");
    assert.equal(await world.refused({}, world.time.now + 9999), "identity");
    await tell("dana", "enable");
    assert.equal(await world.refused({}), "identity");
    assert.equal(await world.refused({}, world.time.now + 1), undefined);
  });

  for (const level of ["certificate", "key", "session", "engagement"] as const) {
    it(`does not lift a ${level}, and says what to do instead`, async () => {
      await assert.rejects(world.lift(level, "anything"), conflict);
      await assert.rejects(world.revoke(level, "web-work", true));
      assert.deepEqual(await listRevocationViews(world.db, { limit: 10 }), []);
    });
  }

  it("lists by level, target and what is in force, in pages", async () => {
    const first = await world.revoke("member", world.dana);
    await world.lift("member", world.dana);
    const again = await world.revoke("member", world.dana);
    const vendor = await world.revoke("vendor", "rival", true);
    const ids = async (filter: object) =>
      (await listRevocationViews(world.db, { limit: 10, ...filter })).map(({ id }) => id);
    assert.deepEqual(await ids({ inForce: true }), [vendor.id, again.id]);
    assert.equal((await ids({ inForce: false })).length, 2);
    assert.deepEqual(await ids({ level: "vendor", target: "rival" }), [vendor.id]);
    assert.deepEqual(await ids({ limit: 2 }), [vendor.id, again.id]);
    assert.equal((await ids({ before: again.id })).at(-1), first.id);
    assert.deepEqual(await ids({ before: "rev_nothing" }), []);
  });

  it("knows which entries were one request", async () => {
    await world.signIn({});
    const [certificate] = await world.db.selectFrom("certificates").selectAll().execute();
    const { id } = await world.revoke("certificate", certificate?.serial ?? "");
    const [key] = await listRevocationViews(world.db, { level: "key", limit: 1 });
    assert.equal(key?.requestId, id);
    for (const one of [{ id, requestId: null }, key])
      assert.deepEqual((await sequencesOfRequest(world.db, one)).toSorted(), [1, 2]);
  });

  it("announces in the background, and survives that hosts cannot be told", async () => {
    let told = 0;
    const log: string[] = [];
    const environment = {
      ...world.environment,
      log: { ...world.environment.log, error: (m: string) => void log.push(m) },
    };
    const failing = {
      revoke: async () => {
        told += 1;
        throw new Error("away");
      },
    };
    announce({ db: world.db, environment, hosts: failing }, []);
    assert.equal(told, 0);
    const entries = await storeIdentityNotice(world.db, environment, {
      ...{ issuer: ISSUER, subject: "dana", effect: "disable", by: "SCIM", reason: "", evidence: {} },
    });
    announce({ db: world.db, environment, hosts: failing }, entries);
    await new Promise(setImmediate);
    assert.deepEqual([told, log.length], [1, 1]);
    announce({ db: world.db, environment, hosts: world.needs.hosts }, entries);
    assert.deepEqual(world.announced, entries);
  });
});
