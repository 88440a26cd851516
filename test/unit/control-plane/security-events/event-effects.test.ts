import assert from "node:assert/strict";
import { addApiToken } from "@sallyport/control-plane/database/api-tokens.ts";
import { listAuditEvents } from "@sallyport/control-plane/database/audit-events.ts";
import { addRevocation, listRevocations } from "@sallyport/control-plane/database/revocations.ts";
import { newId } from "@sallyport/control-plane/environment.ts";
import { storeIdentityNotice } from "@sallyport/control-plane/revocations/identity-notice.ts";
import { SetError } from "@sallyport/control-plane/security-events/set-error.ts";
import { identityTarget } from "@sallyport/core/policy/revocation.ts";
import { CAEP, makeSetWorld, OWN, RISC, SESSION_REVOKED, type SetWorld } from "../support/set-world.ts";

const DANA = { format: "iss_sub", iss: OWN, sub: "dana" };

describe("what security events do", () => {
  let world: SetWorld;
  let now: number;
  let jtis = 0;
  beforeEach(async () => {
    world = await makeSetWorld();
    now = world.time.now;
  });
  afterEach(() => world.db.destroy());

  const send = (type: string, event: object = {}, claims: object = {}) =>
    world.receive(world.set({ jti: `jti-${++jtis}`, events: { [type]: event }, ...claims }));
  const list = async () => (await listRevocations(world.db)).map(({ before }) => before);
  /** What happened so many seconds ago, told of only now. */
  const at = (ago: number, event: object = {}) => ({ ...event, event_timestamp: now - ago });

  const EFFECTS: [type: string, event: object, effect: "end-sessions" | "disable" | "nothing" | "ask"][] = [
    [SESSION_REVOKED, {}, "end-sessions"],
    [`${CAEP}credential-change`, { credential_type: "password", change_type: "revoke" }, "end-sessions"],
    [`${CAEP}credential-change`, { credential_type: "password", change_type: "update" }, "end-sessions"],
    [`${CAEP}credential-change`, { credential_type: "pin", change_type: "delete" }, "end-sessions"],
    [`${CAEP}credential-change`, { credential_type: "fido2-roaming", change_type: "create" }, "nothing"],
    [`${CAEP}assurance-level-change`, { change_direction: "decrease" }, "end-sessions"],
    [`${CAEP}assurance-level-change`, { current_level: "nist-aal1" }, "end-sessions"],
    [`${CAEP}assurance-level-change`, { change_direction: "increase" }, "nothing"],
    [`${CAEP}device-compliance-change`, { current_status: "not-compliant" }, "end-sessions"],
    [`${CAEP}device-compliance-change`, { current_status: "compliant" }, "nothing"],
    [`${RISC}account-disabled`, { reason: "hijacking" }, "disable"],
    [`${RISC}account-purged`, {}, "disable"],
    [`${RISC}account-enabled`, {}, "nothing"],
    [`${RISC}account-credential-change-required`, {}, "end-sessions"],
    [`${RISC}sessions-revoked`, {}, "end-sessions"],
    [`${RISC}identifier-changed`, { "new-value": "x" }, "ask"],
  ];
  for (const [type, event, effect] of EFFECTS) {
    it(`${type.split("/").slice(-3).join("/")} ${JSON.stringify(event)}: ${effect}`, async () => {
      await send(type, at(100, event));
      const expected = { "end-sessions": [now - 99], disable: [null], nothing: [], ask: [] }[effect];
      assert.deepEqual(await list(), expected);
      assert.deepEqual(
        world.announced.map(({ before, level, target }) => [before, level, target]),
        expected.map((before) => [before, "identity", identityTarget(OWN, "dana")]),
      );
      assert.deepEqual(world.asked, effect === "ask" ? [`${OWN} dana`] : []);
      assert.ok((await listAuditEvents(world.db, 10)).some(({ type }) => type === "idp-notice"));
    });
  }

  it("enables whom it has disabled, and what was before stays gone", async () => {
    await send(`${RISC}account-disabled`, at(100));
    await send(`${RISC}account-enabled`, at(50));
    assert.deepEqual(await list(), [null, now + 1]);
  });

  it("finds people by every form of subject, also those of before SSF 1.0", async () => {
    const forms: object[] = [
      { sub_id: { format: "opaque", id: "dana" } },
      { sub_id: { format: "email", email: "DANA@vendor.test" } },
      { sub_id: { format: "account", uri: "acct:dana@vendor.test" } },
      { sub_id: { format: "aliases", identifiers: [{ format: "did", url: "did:x:y" }, DANA] } },
      { sub_id: { format: "complex", user: DANA, session: { format: "opaque", id: "s" } } },
      { sub_id: { user: DANA, device: { format: "opaque", id: "d" } } },
      { sub_id: undefined, sub: "dana" },
      { sub: "dana" },
      ...[
        DANA,
        { subject_type: "iss-sub", iss: OWN, sub: "dana" },
        { subject_type: "id_token_claims", iss: OWN, sub: "dana" },
        { user: DANA, device: { format: "iss_sub", iss: OWN, sub: "laptop" } },
      ].map((subject) => ({ sub_id: undefined, events: { [SESSION_REVOKED]: { ...at(5), subject } } })),
      { events: { [SESSION_REVOKED]: { subject: DANA } } },
    ];
    for (const [index, form] of forms.entries()) {
      const before = (await list()).length;
      world.time.now += 10;
      await send(SESSION_REVOKED, {}, { iat: world.time.now, ...form, jti: `form-${index}` }).catch((error) =>
        assert.fail(`${JSON.stringify(form)}: ${error}`),
      );
      // Those that tell of the same moment change nothing any more.
      assert.ok((await list()).length >= Math.max(before, 1), JSON.stringify(form));
    }
    assert.equal(
      (await listRevocations(world.db)).every(({ target }) => target === identityTarget(OWN, "dana")),
      true,
    );
  });

  describe("times", () => {
    it("a token that comes late does not end what was signed in for after the event", async () => {
      await world.certificate("dana", now - 10);
      await send(SESSION_REVOKED, at(3600), { iat: now - 3600 });
      assert.deepEqual(await list(), [now - 3599]);
    });

    it("nor does one that comes late let in again whom a later event has ended", async () => {
      await send(SESSION_REVOKED, at(10));
      await send(SESSION_REVOKED, at(3600));
      assert.deepEqual(await list(), [now - 9]);
    });

    it("counts milliseconds as such, as drafts of CAEP had it", async () => {
      await send(SESSION_REVOKED, { event_timestamp: (now - 60) * 1000 + 643 });
      assert.deepEqual(await list(), [now - 59]);
    });

    const UNBELIEVABLE: [what: string, time: (now: number) => unknown][] = [
      ["0", () => 0],
      ["1", () => 1],
      ["text", () => "yesterday"],
      ["the future", (time) => time + 3600],
      ["microseconds", (time) => time * 1e6],
      ["a month before the token", (time) => time - 30 * 86_400],
    ];
    for (const [what, time] of UNBELIEVABLE) {
      it(`an event_timestamp that cannot be (${what}) leaves iat`, async () => {
        await send(SESSION_REVOKED, { event_timestamp: time(now) });
        assert.deepEqual(await list(), [now]);
      });
    }

    it("toe counts where there is no event_timestamp", async () => {
      await send(SESSION_REVOKED, {}, { toe: now - 500 });
      assert.deepEqual(await list(), [now - 499]);
    });

    it("enabled before it was disabled, and told of the other way round: disabled", async () => {
      await send(`${RISC}account-disabled`, at(50));
      await send(`${RISC}account-enabled`, at(100));
      assert.deepEqual(await list(), [null]);
    });

    it("disabled before it was enabled, and told of the other way round: only what was before is gone", async () => {
      await send(`${RISC}account-enabled`, at(50));
      await send(`${RISC}account-disabled`, at(100));
      assert.deepEqual(await list(), [now - 99]);
    });

    it("an IdP's clock that is ahead does not keep anybody disabled", async () => {
      await send(`${RISC}account-disabled`, { event_timestamp: now + 50 }, { iat: now + 50 });
      const notice = { issuer: OWN, subject: "dana", by: "SCIM", reason: "active", evidence: {} };
      await storeIdentityNotice(world.db, world.environment, { ...notice, effect: "enable" });
      assert.deepEqual(
        (await list()).map((before) => before === null),
        [true, false],
      );
    });
  });

  const revokeAsAdministrator = () =>
    addRevocation(world.db, {
      ...{ id: newId(world.environment, "rev"), level: "identity", target: identityTarget(OWN, "dana") },
      ...{ at: now, by: "sec", reason: "fraud", name: null },
    });

  it("finds staff whose groups alone make them that, and who have no e-mail here", async () => {
    await addApiToken(world.db, {
      ...{ hash: "h", issuer: OWN, subject: "gail", name: "Gail", mfa: "none" },
      ...{ created_at: now, expires_at: now + 9 },
    });
    await send(`${RISC}account-disabled`, {}, { sub_id: { ...DANA, sub: "gail" } });
    assert.deepEqual(await list(), [null]);
  });

  it("an IdP does not take back what an administrator has revoked", async () => {
    await revokeAsAdministrator();
    await send(`${RISC}account-disabled`, at(50));
    await send(`${RISC}account-enabled`, at(10));
    assert.deepEqual(await list(), [null]);
  });

  it("nor what an administrator has revoked after the IdP had disabled", async () => {
    await send(`${RISC}account-disabled`, at(50));
    await revokeAsAdministrator();
    await send(`${RISC}account-enabled`, at(10));
    assert.deepEqual(await list(), [null, null]);
  });

  it("says why in the IdP's words, in English where there are, and made printable", async () => {
    const reasons: [event: object, reason: string][] = [
      [{ reason_admin: { de: "Richtlinie", en: "Policy C076" } }, "CAEP session-revoked: Policy C076"],
      [{ reason_admin: { "en-GB": "x" }, reason_user: { en: "y" } }, "CAEP session-revoked: x"],
      [{ reason_user: { it: "Non conforme" } }, "CAEP session-revoked: Non conforme"],
      [{ reason_admin: "plain" }, "CAEP session-revoked: plain"],
      [{ reason_admin: { en: 7 }, reason: "hijacking" }, "CAEP session-revoked: hijacking"],
      [
        { reason_admin: { en: "a\u001b[2Jb\nc\u202e" } },
        "CAEP session-revoked: a\\u{1b}[2Jb\\u{a}c\\u{202e}",
      ],
      [{}, "CAEP session-revoked"],
    ];
    for (const [event, reason] of reasons) {
      world.time.now += 10;
      await send(SESSION_REVOKED, event, { iat: world.time.now });
      assert.equal((await listRevocations(world.db)).at(-1)?.reason, reason);
    }
    world.time.now += 10;
    await send(SESSION_REVOKED, { reason_admin: { en: "\u0007".repeat(5000) } }, { iat: world.time.now });
    assert.ok(((await listRevocations(world.db)).at(-1)?.reason.length ?? 999) < 340);
  });

  it("says who it was by, and what came, in the audit log, and no token", async () => {
    const token = world.set({ jti: "shown" });
    await world.receive(token);
    const events = await listAuditEvents(world.db, 10);
    const notice = events.find(({ type }) => type === "idp-notice");
    assert.equal(notice?.actor, "security events of Test IdP");
    assert.deepEqual(JSON.parse(notice?.data_json ?? ""), {
      ...{ issuer: OWN, subject: "dana", effect: "end-sessions" },
      ...{ via: "SET", jti: "shown", event: "CAEP session-revoked", at: now - 1 },
    });
    for (const { data_json } of events) assert.ok(!data_json.includes(token.slice(0, 40)));
  });

  it("two that come at once do what they do once", async () => {
    const same = world.set({ jti: "same" });
    await Promise.all(Array.from({ length: 10 }, () => world.receive(same)));
    assert.equal((await list()).length, 1);
  });

  it("what fails before the commit leaves nothing, and is done when it comes again", async () => {
    const token = world.set({ jti: "again" });
    const { random } = world.environment;
    let left = 1;
    world.needs.environment = {
      ...world.environment,
      random: (length) => {
        if (--left < 0) throw new Error("died");
        return random(length);
      },
    };
    await assert.rejects(world.receive(token), (error) => !(error instanceof SetError));
    assert.deepEqual(await list(), []);
    world.needs.environment = world.environment;
    await world.receive(token);
    assert.equal((await list()).length, 1);
  });
});
