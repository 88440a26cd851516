import assert from "node:assert/strict";
import { call, signIn } from "./support/client.ts";
import { startTestControlPlane, type TestControlPlane } from "./support/control-plane.ts";
import { connect, enrol, makeRecording, type TestHost } from "./support/host.ts";

const ROLES = ["nobody", "eve", "dana", "revoked", "auditor", "admin"] as const;
type Role = (typeof ROLES)[number];

/**
 * Every route against every role: the status that each gets. `dana` owns the session and the engagement `web-work`,
 * `eve` is another contractor, `revoked` was one.
 */
const TABLE: [method: string, path: string, expected: Record<Role, number>, body?: object][] = [
  ["GET", "/client-configuration", row(200, 200, 200, 200, 200, 200)],
  ["GET", "/trust", row(200, 200, 200, 200, 200, 200)],
  ["POST", "/challenges", row(201, 201, 201, 201, 201, 201)],
  ["POST", "/certificates", row(400, 400, 400, 400, 400, 400), {}],
  ["POST", "/hosts", row(400, 400, 400, 400, 400, 400), {}],
  ["GET", "/me", row(401, 200, 200, 200, 200, 200)],
  ["GET", "/me/refusal", row(401, 200, 200, 200, 200, 200)],
  ["GET", "/sessions", row(401, 200, 200, 403, 200, 200)],
  ["GET", "/sessions/SESSION", row(401, 404, 200, 403, 200, 200)],
  ["GET", "/sessions/SESSION/recording", row(401, 404, 200, 403, 200, 200)],
  ["GET", "/sessions/SESSION/export?format=text", row(401, 404, 200, 403, 200, 200)],
  ["GET", "/sessions/ses_00000000000000000000000000", row(401, 404, 404, 403, 404, 404)],
  ["GET", "/sessions/..%2f..%2fetc", row(401, 404, 404, 403, 404, 404)],
  ["GET", "/sessions/SESSION/inclusion", row(401, 404, 200, 403, 200, 200)],
  ["GET", "/engagements", row(401, 200, 200, 403, 200, 200)],
  ["GET", "/engagements/web-work", row(401, 404, 200, 403, 200, 200)],
  ["GET", "/engagements/nothing", row(401, 404, 404, 403, 404, 404)],
  ["GET", "/hosts", row(401, 200, 200, 403, 200, 200)],
  ["POST", "/join-tokens", row(401, 403, 403, 403, 403, 201), { name: "web-9", address: "127.0.0.1" }],
  ["POST", "/revocations", row(401, 403, 403, 403, 403, 404), { level: "session", target: "nothing" }],
  ["POST", "/engagements/nothing/end", row(401, 403, 403, 403, 403, 404), {}],
  ["POST", "/engagements/later-work/end", row(401, 403, 403, 403, 403, 200), { reason: "over" }],
  ["GET", "/audit/key", row(401, 403, 403, 403, 200, 200)],
  ["GET", "/audit/checkpoint", row(401, 403, 403, 403, 200, 200)],
  ["GET", "/audit/entries?from=0&to=2", row(401, 403, 403, 403, 200, 200)],
  ["GET", "/audit/entries?from=2&to=2", row(401, 403, 403, 403, 400, 400)],
  ["GET", "/audit/frontier?size=2", row(401, 403, 403, 403, 200, 200)],
  ["GET", "/audit/consistency?from=1&to=2", row(401, 403, 403, 403, 200, 200)],
  ["GET", "/audit/consistency?from=1&to=1000000", row(401, 403, 403, 403, 404, 404)],
  ["GET", "/audit/inclusion?index=0", row(401, 403, 403, 403, 200, 200)],
  ["GET", "/audit/inclusion", row(401, 403, 403, 403, 400, 400)],
  ["GET", "/nothing", row(404, 404, 404, 404, 404, 404)],
  ["DELETE", "/token", row(401, 204, 204, 204, 204, 204)],
];

function row(...statuses: number[]): Record<Role, number> {
  return Object.fromEntries(ROLES.map((role, index) => [role, statuses[index] ?? 0])) as Record<Role, number>;
}

describe("who may do what", () => {
  let plane: TestControlPlane;
  let host: TestHost;
  let session: string;
  const tokens: Partial<Record<Role, string>> = {};
  const sign = (sub: string) => signIn(plane.url, plane.idp.issuer, sub);

  before(async () => {
    plane = await startTestControlPlane();
    plane.idp.accounts.set("rob", {
      sub: "rob",
      email: "rob@vendor.test",
      emailVerified: true,
      name: "Rob",
      amr: [],
    });
    plane.writePolicy("version: 1\nmembers: [{ name: Rob, email: rob@vendor.test, vendor: vendor }]\n");
    await plane.running.reloadPolicy();
    host = await enrol(plane.url, await plane.joinToken("web-1"));
    const dana = await sign("dana");
    tokens.dana = dana.apiToken;
    tokens.eve = (await sign("eve")).apiToken;
    tokens.revoked = (await sign("rob")).apiToken;
    tokens.auditor = (await sign("audrey")).apiToken;
    tokens.admin = (await sign("sam")).apiToken;
    const body = { level: "member", target: "Rob", reason: "gone" };
    await call(plane.url, "POST", "/revocations", { token: tokens.admin, body });
    const link = await connect(plane.url, host);
    const recording = makeRecording(host, {
      id: dana.me.memberId ?? "",
      issuer: plane.idp.issuer,
      subject: "dana",
    });
    for (const block of recording.blocks) link.socket.send(block.bytes);
    for (let complete = false; !complete; ) complete = (await link.next("recording-offset")).complete;
    session = recording.session;
    await link.close();
  });
  after(() => plane.close());

  for (const [method, path, expected, body] of TABLE) {
    for (const role of ROLES) {
      it(`${method} ${path} answers ${role} with ${expected[role]}`, async () => {
        const token = tokens[role];
        const answer = await call(plane.url, method, path.replace("SESSION", session), {
          ...(token === undefined ? {} : { token }),
          ...(body === undefined ? {} : { body }),
        });
        assert.equal(answer.status, expected[role], answer.message);
      });
    }
  }

  it("does not take a token that was signed out, is over, or is none", async () => {
    const bad = [tokens.dana ?? "", "A".repeat(43), "x"];
    for (const token of bad)
      assert.equal((await call(plane.url, "GET", "/me", { token })).code, "unauthenticated");
    const { apiToken, apiTokenExpiresAt } = await sign("dana");
    assert.equal((await call(plane.url, "GET", "/me", { token: apiToken })).status, 200);
    plane.clock.offset = (apiTokenExpiresAt - Date.now() / 1000 + 1) * 1000;
    assert.equal((await call(plane.url, "GET", "/me", { token: apiToken })).code, "unauthenticated");
    plane.clock.offset = 0;
  });

  it("lists to each what is theirs", async () => {
    const [dana, eve, sam] = [await sign("dana"), await sign("eve"), await sign("sam")];
    const list = async (token: string, path: string) =>
      (await call(plane.url, "GET", path, { token })).body as {
        id: string;
        name?: string;
        members?: unknown[];
      }[];
    assert.deepEqual(
      (await list(dana.apiToken, "/sessions")).map(({ id }) => id),
      [session],
    );
    assert.deepEqual(await list(eve.apiToken, "/sessions"), []);
    assert.deepEqual(await list(eve.apiToken, "/sessions?member=dana@vendor.test"), []);
    for (const query of ["member=dana@vendor.test", "host=web-1", "state=ended", "limit=1", "before=ses_z"]) {
      assert.deepEqual(
        (await list(sam.apiToken, `/sessions?${query}`)).map(({ id }) => id),
        [session],
        query,
      );
    }
    for (const query of ["member=nobody", "host=web-2", "state=live", "before=ses_0"]) {
      assert.deepEqual(await list(sam.apiToken, `/sessions?${query}`), [], query);
    }
    assert.deepEqual(
      (await list(eve.apiToken, "/engagements")).map(({ name }) => name),
      ["later-work"],
    );
    assert.deepEqual((await list(eve.apiToken, "/engagements"))[0]?.members?.length, 1);
    assert.deepEqual(
      ((await list(sam.apiToken, "/engagements/later-work")) as unknown as { members: unknown[] }).members
        .length,
      2,
    );
    assert.deepEqual(await list(eve.apiToken, "/hosts"), []);
    assert.deepEqual(
      (await list(dana.apiToken, "/hosts")).map(({ name }) => name),
      ["web-1"],
    );
    const bad = await call(plane.url, "GET", "/sessions?limit=0", { token: sam.apiToken });
    assert.deepEqual([bad.status, bad.code], [400, "message-malformed"]);
  });

  it("limits each address on the routes that need no sign-in", async () => {
    const statuses = new Set<number>();
    for (let i = 0; i < 40; i++) {
      const answers = await Promise.all(
        Array.from({ length: 10 }, () => call(plane.url, "POST", "/challenges", { body: {} })),
      );
      for (const { status } of answers) statuses.add(status);
      if (statuses.has(429)) break;
    }
    assert.deepEqual([...statuses].sort(), [201, 429]);
  });
});
