import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ActiveChecks } from "@sallyport/control-plane/checks/active-checks.ts";
import { listAuditEvents } from "@sallyport/control-plane/database/audit-events.ts";
import { listRevocations } from "@sallyport/control-plane/database/revocations.ts";
import type { Database } from "@sallyport/control-plane/database/tables.ts";
import sinon from "sinon";
import { until } from "../../../demo/light-host/until.ts";
import { call, certificateRequest, challenge, makeClientKey, signIn } from "./support/client.ts";
import { startTestControlPlane, type TestControlPlane } from "./support/control-plane.ts";
import { tokensAtIdp } from "./support/sign-in.ts";

const SECRET = "a-secret-of-the-subscription";

describe("directory notices", () => {
  let plane: TestControlPlane;
  let db: Database;
  let directory: string;
  let checked: sinon.SinonStub<[issuer: string, subject: string], void>;
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "sallyport-notices-"));
    const secretFile = join(directory, "secret");
    writeFileSync(secretFile, `${SECRET}\n`);
    plane = await startTestControlPlane({
      issuer: { directoryNotices: { secretFile }, check: { every: 50, timeout: 5 } },
      config: { rateLimit: { failures: { perSecond: 1, burst: 1000 } } },
    });
    db = await plane.database();
    await signIn(plane.url, plane.idp.issuer, "dana");
    // What a check then does is its own tests' matter: here nothing may depend on it.
    checked = sinon.stub(ActiveChecks.prototype, "checkNow");
  });
  after(async () => {
    checked.restore();
    await db.destroy();
    await plane.close();
    rmSync(directory, { recursive: true });
  });
  beforeEach(() => checked.resetHistory());

  const send = async (path: string, body: unknown, headers: Record<string, string> = {}) => {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    const init = { method: "POST", headers: { "content-type": "application/json", ...headers }, body: text };
    const response = await fetch(`${plane.url}/directory-notices${path}`, init);
    return { status: response.status, headers: response.headers, text: await response.text() };
  };
  const someone = () => `user-${randomBytes(4).toString("hex")}`;
  const graph = (id: string, changes: object = {}) => ({
    ...{ subscriptionId: "76222963-cc7b-42d2-882d-8aaa69cb2ba3", clientState: SECRET, changeType: "updated" },
    ...{ resource: `Users/${id}`, tenantId: "84bd8158-6d4d-4958-8b9f-9d6445542f95" },
    resourceData: { "@odata.type": "#Microsoft.Graph.User", "@odata.id": `Users/${id}`, id },
    ...changes,
  });
  const asked = () => checked.args.map(([issuer, subject]) => ({ issuer, subject }));
  const refusals = async () =>
    (await listAuditEvents(db, 1000)).filter(({ type }) => type === "idp-notice-refused").length;

  describe("of Microsoft Graph", () => {
    it("answers the handshake of a new subscription with its token, as text", async () => {
      const token = 'Validation: Testing client application reachability for subscription <b>&"';
      const answer = await send(`/entra?validationToken=${encodeURIComponent(token)}`, "");
      assert.deepEqual([answer.status, answer.text], [200, token]);
      assert.match(answer.headers.get("content-type") ?? "", /^text\/plain/);
      assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
    });

    it("has the person asked about whom a notice names, and revokes nothing", async () => {
      const [one, two] = [someone(), someone()];
      const value = [graph(one), graph(two, { changeType: "deleted", resourceData: null })];
      assert.equal((await send("/entra", { value })).status, 202);
      const { issuer } = plane.idp;
      assert.deepEqual(asked(), [
        { issuer, subject: one },
        { issuer, subject: two },
      ]);
      assert.deepEqual(await listRevocations(db), []);
    });

    it("asks once about somebody of whom many notices come", async () => {
      const id = someone();
      const value = Array.from({ length: 500 }, () => graph(id));
      for (let i = 0; i < 4; i++) assert.equal((await send("/entra", { value })).status, 202);
      assert.equal(asked().length, 1);
    });

    it("takes those of a mixed body that are right, and a word about the subscription itself", async () => {
      const [right, wrong] = [someone(), someone()];
      const value = [
        graph(wrong, { clientState: "something else, just as long" }),
        graph(right),
        {
          clientState: SECRET,
          lifecycleEvent: "subscriptionRemoved",
          subscriptionId: "x",
          resource: "users",
        },
        graph(someone(), { resource: "groups/00000000-0000-0000-0000-000000000000" }),
      ];
      assert.equal((await send("/entra", { value })).status, 202);
      assert.deepEqual(
        asked().map(({ subject }) => subject),
        [right],
      );
    });

    const bad: [what: string, status: number, body: () => unknown][] = [
      ["no clientState", 401, () => ({ value: [graph(someone(), { clientState: undefined })] })],
      ["an empty clientState", 401, () => ({ value: [graph(someone(), { clientState: "" })] })],
      ["a wrong clientState", 401, () => ({ value: [graph(someone(), { clientState: `${SECRET}x` })] })],
      [
        "the start of the clientState",
        401,
        () => ({ value: [graph(someone(), { clientState: SECRET.slice(1) })] }),
      ],
      ["no notices", 400, () => ({ value: [] })],
      ["too many notices", 400, () => ({ value: Array.from({ length: 1001 }, () => graph("x")) })],
      ["a list", 400, () => [graph(someone())]],
      ["no JSON", 400, () => "{"],
      ["an id with a NUL", 400, () => ({ value: [graph("a", { resourceData: { id: "a\0b" } })] })],
      ["more than 1 MiB", 400, () => ({ value: [graph(someone())], more: "x".repeat(1_100_000) })],
    ];
    for (const [what, status, body] of bad) {
      it(`refuses ${what} with ${status}, and asks about nobody`, async () => {
        const before = await refusals();
        assert.equal((await send("/entra", body())).status, status);
        assert.deepEqual(asked(), []);
        assert.equal(await refusals(), before + 1);
      });
    }

    it("refuses a handshake that is none", async () => {
      assert.equal((await send("/entra?validationToken=", "")).status, 400);
      assert.equal((await send(`/entra?validationToken=${"x".repeat(5000)}`, "")).status, 400);
      assert.equal((await send("/entra?validationToken=a%0d%0ab", "")).status, 400);
    });
  });

  describe("of Google's Directory API", () => {
    const goog = (state: string, token: string | undefined = SECRET) => ({
      "x-goog-channel-id": "01234567-89ab-cdef-0123456789ab",
      "x-goog-message-number": "10",
      "x-goog-resource-id": "ret08u3rv24htgh289g",
      "x-goog-resource-state": state,
      ...(token === undefined ? {} : { "x-goog-channel-token": token }),
    });
    const user = (id: string) => ({ kind: "admin#directory#user", id, primaryEmail: "dana@vendor.test" });

    it("takes the first message of a channel, which is about nobody", async () => {
      assert.equal((await send("/google", "", goog("sync"))).status, 204);
      assert.deepEqual(asked(), []);
    });

    it("has the person asked about whom a notice names, and revokes nothing", async () => {
      const ids: string[] = [];
      for (const state of ["update", "delete", "makeAdmin"]) {
        ids.push(someone());
        assert.equal((await send("/google", user(ids.at(-1) ?? ""), goog(state))).status, 204);
      }
      assert.deepEqual(
        asked(),
        ids.map((subject) => ({ issuer: plane.idp.issuer, subject })),
      );
      assert.deepEqual(await listRevocations(db), []);
    });

    const bad: [what: string, status: number, body: unknown, headers: Record<string, string>][] = [
      ["no token", 401, user("1"), goog("update", "")],
      ["a wrong token", 401, user("1"), goog("update", "another-secret-of-the-subscription")],
      ["a wrong token of a sync", 401, "", goog("sync", "x")],
      ["a body without id", 400, { primaryEmail: "dana@vendor.test" }, goog("update")],
      ["no JSON", 400, "", goog("update")],
    ];
    for (const [what, status, body, headers] of bad) {
      it(`refuses ${what} with ${status}, and asks about nobody`, async () => {
        const before = await refusals();
        assert.equal((await send("/google", body, headers)).status, status);
        assert.deepEqual(asked(), []);
        assert.equal(await refusals(), before + 1);
      });
    }
  });

  it("are not taken where no secret is configured", async () => {
    const without = await startTestControlPlane();
    for (const path of ["/directory-notices/entra", "/directory-notices/google"])
      assert.equal((await call(without.url, "POST", path, { base: "", body: {} })).status, 404);
    await without.close();
  });

  describe("and the check", () => {
    it("end a disabled account's access through the question that they cause, long before the next one", async () => {
      checked.callThrough();
      const { idp, url, clock } = plane;
      const key = makeClientKey();
      const { idToken, refreshToken } = await tokensAtIdp(idp.issuer, "eve", key.nonce);
      const request = { ...certificateRequest(key, idToken, await challenge(url)), refreshToken };
      assert.equal((await call(url, "POST", "/certificates", { body: request })).status, 201);
      idp.accounts.delete("eve");
      // A question at the sign-in itself would be too soon for another.
      clock.offset += 11_000;
      assert.deepEqual(await listRevocations(db), []);
      assert.equal((await send("/entra", { value: [graph("eve")] })).status, 202);
      assert.ok(await until(async () => (await listRevocations(db)).length > 0, 10_000));
      const [entry] = await listRevocations(db);
      assert.equal(entry?.level, "key");
      assert.match(entry.by, /^active check of Test IdP/);
    });
  });
});
