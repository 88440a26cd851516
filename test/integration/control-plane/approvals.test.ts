import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { slackSignature } from "@sallyport/control-plane/approvals/slack-signature.ts";
import type { ApprovalOutcome, ApprovalView } from "@sallyport/core/messages/approvals.ts";
import { makeId } from "@sallyport/core/names.ts";
import type { Bundle } from "@sallyport/core/policy/bundle.ts";
import { decodeJwt } from "jose";
import { type Answer, call, signIn } from "./support/client.ts";
import { startTestControlPlane, type TestControlPlane } from "./support/control-plane.ts";
import { connect, enrol, type TestHost, type TestLink } from "./support/host.ts";

const SECRET = "8f742231b10e8888abcd99yyyzzz85a5";

const STAFF = [
  ["sec@acme.test", "admin"],
  ["audit@acme.test", "auditor"],
  ["ann@acme.test", "approver"],
  ["ben@acme.test", "approver"],
  ["spencer@acme.test", "sponsor"],
] as const;

function policy(names: Record<string, string>): string {
  const engagement = (name: string, approval: string) => `
  - name: ${name}
    vendor: ${name === "foreign" ? "other" : "vendor"}
    members: [${name === "foreign" ? "olga@other.test" : "dana@vendor.test"}]
    hosts: { names: [web-1] }
    accounts: [deploy]
    start: 2020-01-01
    end: 2090-01-01
    contact: sec@acme.test
    sponsor: spencer@acme.test
    approval: ${approval}`;
  return `version: 1
members:
  - { name: Dana Doe, email: dana@vendor.test, vendor: vendor }
  - { name: Olga Other, email: olga@other.test, vendor: other }
  - { name: Ben Both, email: ben@acme.test, vendor: vendor }
engagements:${Object.entries(names)
    .map(([name, approval]) => engagement(name, approval))
    .join("")}
`;
}

describe("approvals over the API", () => {
  let plane: TestControlPlane;
  let directory: string;
  let slack: Server;
  let host: TestHost;
  let link: TestLink;
  const posted: { path: string; body: Record<string, unknown> }[] = [];
  let slackAnswers = 200;
  const arrived = new Set<() => void>();
  const tokens: Record<string, string> = {};

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "sallyport-approvals-"));
    writeFileSync(join(directory, "slack"), `${SECRET}\n`);
    slack = createServer((request, response) => {
      let text = "";
      request.on("data", (piece: Buffer) => {
        text += piece;
      });
      request.on("end", () => {
        if (slackAnswers === 200) posted.push({ path: request.url ?? "", body: JSON.parse(text) });
        response.writeHead(slackAnswers).end("ok");
        for (const wake of [...arrived]) wake();
      });
    });
    await new Promise<void>((resolve) => slack.listen(0, "127.0.0.1", resolve));
    plane = await startTestControlPlane({
      config: {
        staff: STAFF.map(([email, role]) => ({ email, role })),
        approvals: {
          webhook: { url: slackUrl("/hook") },
          slackSigningSecretFile: join(directory, "slack"),
          slackUsers: {
            U0ANN: "ann@acme.test",
            U0BEN: "ben@acme.test",
            U0AUDREY: "audit@acme.test",
            U0NEW: "sec@acme.test",
          },
        },
      },
    });
    host = await enrol(plane.url, await plane.joinToken("web-1"));
    for (const [sub, email] of [
      ["ann", "ann@acme.test"],
      ["ben", "ben@acme.test"],
      ["spencer", "spencer@acme.test"],
      ["olga", "olga@other.test"],
    ] as const)
      plane.idp.accounts.set(sub, { sub, email, emailVerified: true, name: sub, amr: ["mfa"] });
    plane.writePolicy(
      policy({
        web: "{ rule: login, lasts: 3600 }",
        pair: "{ rule: login, approvers: 2 }",
        whole: "{ rule: activation }",
        foreign: "{ rule: login }",
        auto: "{ rule: login }",
      }).replaceAll("members: [dana@vendor.test]", "members: [dana@vendor.test, ben@acme.test]"),
    );
    await plane.running.reloadPolicy();
    for (const name of ["dana", "olga", "ann", "ben", "spencer", "audrey"])
      tokens[name] = (await signIn(plane.url, plane.idp.issuer, name)).apiToken;
    link = await connect(plane.url, host);
    await bundle();
  });
  after(async () => {
    await link?.close();
    await plane?.close();
    slack.close();
    slack.closeAllConnections();
    rmSync(directory, { recursive: true });
  });

  const slackUrl = (path: string) => `http://127.0.0.1:${(slack.address() as AddressInfo).port}${path}`;
  const api = (who: string, method: string, path: string, body?: object): Promise<Answer> =>
    call(plane.url, method, path, { token: tokens[who] ?? "", ...(body === undefined ? {} : { body }) });
  const ask = async (engagement: string, who = "dana"): Promise<ApprovalView> => {
    const answer = await api(who, "POST", "/approvals", {
      engagement,
      reason: "the <!channel> disk is full",
    });
    assert.equal(answer.status, 201, answer.message);
    return answer.body as ApprovalView;
  };
  const answer = (who: string, id: string, decision = "approve") =>
    api(who, "POST", `/approvals/${id}/answer`, { decision });
  const withdraw = (who: string, id: string) =>
    api(who, "POST", `/approvals/${id}/withdraw`, { reason: "done" });

  /** The next bundle, acknowledged. */
  async function bundle(): Promise<Bundle> {
    const { jws } = await link.next("bundle");
    const content = decodeJwt<Bundle>(jws);
    link.send({ type: "bundle-ack", version: content.version });
    return content;
  }
  const granted = (content: Bundle, name: string) =>
    content.engagements.find((one) => one.name === name)?.approval.granted.length;

  async function posts(what: (one: (typeof posted)[number]) => boolean) {
    for (;;) {
      const index = posted.findIndex((one) => what(one));
      const [found] = index === -1 ? [] : posted.splice(index, 1);
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        const wake = () => {
          arrived.delete(wake);
          resolve();
        };
        arrived.add(wake);
      });
    }
  }

  function press(id: string, user: string, options: Record<string, unknown> = {}): { body: string } {
    const payload = {
      type: "block_actions",
      user: { id: user, username: "x", team_id: "T1" },
      actions: [
        { action_id: "sallyport-approve", value: `${id}:1`, type: "button", ...(options.action as object) },
      ],
      ...(options.payload as object),
    };
    return { body: new URLSearchParams({ payload: JSON.stringify(payload) }).toString() };
  }

  async function post(
    { body }: { body: string },
    how: { secret?: string; age?: number; signature?: string; length?: number } = {},
  ): Promise<{ status: number; code: string | undefined }> {
    const timestamp = String(Math.floor((Date.now() + plane.clock.offset) / 1000) - (how.age ?? 0));
    const response = await fetch(`${plane.url}/api/v1/approvals/slack`, {
      method: "POST",
      headers: {
        "content-type": "application/x-www-form-urlencoded",
        "x-slack-request-timestamp": timestamp,
        "x-slack-signature":
          how.signature ?? slackSignature(Buffer.from(how.secret ?? SECRET), timestamp, body),
      },
      body,
    });
    const text = await response.text();
    return { status: response.status, code: text === "" ? undefined : JSON.parse(text).error?.code };
  }

  it("reach the host with the answer, and leave it when they are withdrawn", async () => {
    const { id, state, member } = await ask("web");
    assert.deepEqual([state, member?.email], ["pending", "dana@vendor.test"]);
    const [answered, given] = await Promise.all([answer("ann", id), bundle()]);
    assert.equal(answered.status, 200, answered.message);
    const { request, hosts } = answered.body as ApprovalOutcome;
    assert.deepEqual([request.state, hosts], ["approved", [{ host: "web-1", acknowledged: true }]]);
    assert.equal(granted(given, "web"), 1);
    const [withdrawn, taken] = await Promise.all([withdraw("ben", id), bundle()]);
    assert.equal((withdrawn.body as ApprovalOutcome).request.state, "withdrawn");
    assert.deepEqual((withdrawn.body as ApprovalOutcome).hosts, [{ host: "web-1", acknowledged: true }]);
    assert.equal(granted(taken, "web"), 0);
    assert.equal((await withdraw("ben", id)).code, "conflict");
  });

  it("take two people where it takes two, and are stored before hosts hear of them", async () => {
    const { id } = await ask("pair");
    assert.equal((await answer("ann", id)).status, 200);
    assert.equal((await answer("ann", id)).status, 200, "once more");
    const [last, given] = await Promise.all([answer("spencer", id), bundle()]);
    assert.equal((last.body as ApprovalOutcome).request.answers.length, 2);
    assert.equal(granted(given, "pair"), 1);
    await plane.restart();
    link = await connect(plane.url, host);
    assert.equal(granted(await bundle(), "pair"), 1);
    await Promise.all([withdraw("spencer", id), bundle()]);
  });

  it("are for whom they concern to see, and for nobody else to answer", async () => {
    const [web, foreign] = [await ask("web"), await ask("foreign", "olga")];
    const sees = async (who: string) => {
      const list = (await api(who, "GET", "/approvals?state=pending")).body as ApprovalView[];
      return [web, foreign].map(({ id }) => list.some((one) => one.id === id));
    };
    assert.deepEqual(await sees("dana"), [true, false]);
    assert.deepEqual(await sees("olga"), [false, true]);
    for (const who of ["ann", "spencer", "audrey"]) assert.deepEqual(await sees(who), [true, true], who);
    assert.equal((await api("dana", "GET", `/approvals/${foreign.id}`)).code, "not-found");
    assert.equal((await api("dana", "GET", "/approvals?engagement=foreign")).code, "not-found");
    assert.equal((await withdraw("dana", foreign.id)).code, "not-found");
    for (const who of ["dana", "olga", "audrey"])
      for (const id of [web.id, foreign.id]) assert.equal((await answer(who, id)).code, "forbidden", who);
    assert.equal((await withdraw("audrey", web.id)).code, "forbidden");
    assert.equal((await withdraw("ann", web.id)).code, "forbidden", "pending: to be denied");
    assert.equal((await answer("ann", "apr_00000000000000000000000000")).code, "not-found");
    for (const [who, engagement, code] of [
      ["dana", "foreign", "not-found"],
      ["ann", "web", "forbidden"],
      ["olga", "web", "not-found"],
    ] as const)
      assert.equal((await api(who, "POST", "/approvals", { engagement, reason: "x" })).code, code, who);
    assert.equal(((await withdraw("dana", web.id)).body as ApprovalOutcome).request.state, "cancelled");
    assert.equal((await answer("ann", foreign.id, "deny")).status, 200);
  });

  it("are not given by an API token, whoever made it", async () => {
    const { id } = await ask("web");
    const expiresAt = Math.floor(Date.now() / 1000) + 3600;
    const wish = { name: "bot", scopes: ["approvals:read", "approvals:answer"], expiresAt };
    assert.match((await api("ann", "POST", "/tokens", wish)).message, /scopes/);
    const made = await api("ann", "POST", "/tokens", { ...wish, scopes: ["approvals:read"] });
    tokens.bot = (made.body as { token: string }).token;
    assert.equal((await api("bot", "GET", `/approvals/${id}`)).status, 200, made.message);
    assert.equal((await answer("bot", id)).code, "forbidden");
    assert.equal((await withdraw("bot", id)).code, "forbidden");
    await withdraw("dana", id);
  });

  it("of a whole engagement show other members only that they are there", async () => {
    const { id } = await ask("whole", "ben");
    const seen = (await api("dana", "GET", `/approvals/${id}`)).body as ApprovalView;
    assert.deepEqual([seen.state, seen.reason, seen.requestedBy], ["pending", "", null]);
    const asked = await ask("whole");
    assert.deepEqual([asked.id, asked.reason, asked.requestedBy], [id, "", null], "asked for again");
    assert.equal((await withdraw("dana", id)).code, "forbidden");
    assert.equal((await answer("ben", id)).code, "forbidden");
    await Promise.all([answer("ann", id), bundle()]);
    await Promise.all([withdraw("ann", id), bundle()]);
  });

  it("are asked for by a login that a host refused, and why says what became of it", async () => {
    const engagement = (await api("dana", "GET", "/engagements/auto")).body as {
      id: string;
      members: { id: string }[];
    };
    const memberId = engagement.members[0]?.id ?? null;
    const event = {
      ...{ id: makeId("evt", Date.now(), Buffer.alloc(10, 7)), at: Date.now() },
      ...{ type: "login-refused" as const, account: "deploy", sourceAddress: null, certificateSerial: null },
      ...{ memberId, issuer: plane.idp.issuer, subject: "dana", engagementId: engagement.id },
      ...{ sessionId: null, code: "approval-missing", detail: "not approved", told: "ask" },
    };
    link.send({ type: "event", event });
    await link.next("event-ack");
    const { refusal } = (await api("dana", "GET", "/me/refusal")).body as {
      refusal: { request: ApprovalView };
    };
    assert.equal(refusal.request.reason, "login to web-1 as deploy refused");
    assert.deepEqual([refusal.request.state, refusal.request.automatic], ["pending", true]);
    assert.equal((await answer("ann", refusal.request.id, "deny")).status, 200);
    const later = (await api("dana", "GET", "/me/refusal")).body as { refusal: { request: ApprovalView } };
    assert.equal(later.refusal.request.state, "denied");
  });

  describe("by Slack", () => {
    it("are announced with buttons, in words that mention nobody, until Slack has taken it", async () => {
      slackAnswers = 503;
      const { id } = await ask("web");
      const tried = new Promise<void>((resolve) => {
        const wake = () => {
          arrived.delete(wake);
          resolve();
        };
        arrived.add(wake);
      });
      await tried;
      slackAnswers = 200;
      const { body } = await posts((one) => JSON.stringify(one.body).includes(id));
      const { text, blocks } = body as { text: string; blocks: Record<string, unknown>[] };
      assert.doesNotMatch(text, /channel/);
      assert.ok(blocks.slice(0, 2).every((block) => (block.text as { type: string }).type === "plain_text"));
      const buttons = blocks.at(-1)?.elements as { action_id: string; value: string }[];
      assert.deepEqual(
        buttons.map((button) => [button.action_id, button.value]),
        [
          ["sallyport-approve", `${id}:1`],
          ["sallyport-deny", `${id}:1`],
        ],
      );
      await withdraw("dana", id);
    });

    it("are given by a button, and the message says so", async () => {
      const { id } = await ask("web");
      const form = press(id, "U0ANN", { payload: { response_url: slackUrl("/response") } });
      const [{ status }, given] = await Promise.all([post(form), bundle()]);
      assert.equal(status, 204);
      assert.equal(granted(given, "web"), 1);
      const { body } = await posts((one) => one.path === "/response");
      assert.equal(body.replace_original, true);
      assert.match(JSON.stringify(body), /approved by ann@acme\.test/);
      await Promise.all([withdraw("ann", id), bundle()]);
    });

    it("are refused for what is not signed, too old or too new, changed, or sent before", async () => {
      const { id } = await ask("web");
      const form = press(id, "U0ANN");
      const wrong: Parameters<typeof post>[1][] = [
        { secret: "another secret of the same length" },
        { age: 301 },
        { age: -301 },
        { signature: "" },
        { signature: "v0=" },
        { signature: `v0=${"0".repeat(64)}` },
        { signature: `v1=${"0".repeat(64)}` },
      ];
      for (const how of wrong)
        assert.deepEqual(await post(form, how), { status: 401, code: "unauthenticated" });
      const timestamp = String(Math.floor((Date.now() + plane.clock.offset) / 1000));
      const signature = slackSignature(Buffer.from(SECRET), timestamp, form.body);
      assert.equal((await post(press(id, "U0BEN"), { signature })).code, "unauthenticated", "another body");
      assert.equal(((await api("ann", "GET", `/approvals/${id}`)).body as ApprovalView).state, "pending");
      const deny = press(id, "U0ANN", { action: { action_id: "sallyport-deny" } });
      const once = slackSignature(Buffer.from(SECRET), timestamp, deny.body);
      const send = () =>
        fetch(`${plane.url}/api/v1/approvals/slack`, {
          method: "POST",
          headers: { "x-slack-request-timestamp": timestamp, "x-slack-signature": once },
          body: deny.body,
        });
      assert.deepEqual([(await send()).status, (await send()).status], [204, 401]);
    });

    it("are refused for whom the rules refuse, and the one who pressed is told", async () => {
      const { id } = await ask("web");
      for (const [user, code, text] of [
        ["U0STRANGER", "forbidden", /not known/],
        ["constructor", "forbidden", /not known/],
        ["U0NEW", "forbidden", /Sign in to Sallyport once/],
        ["U0AUDREY", "not-found", /no request/],
      ] as const) {
        const form = press(id, user, { payload: { response_url: slackUrl(`/to-${user}`) } });
        assert.equal((await post(form)).code, code, user);
        const { body } = await posts((one) => one.path === `/to-${user}`);
        assert.deepEqual([body.response_type, body.replace_original], ["ephemeral", false]);
        assert.match(JSON.stringify(body), text);
      }
      const own = await ask("web", "ben");
      assert.equal((await post(press(own.id, "U0BEN"))).code, "forbidden");
      await withdraw("ben", own.id);
      await withdraw("dana", id);
    });

    it("are refused when the engagement has changed since the message, and a no is taken", async () => {
      const { id } = await ask("web");
      const before = { action: { value: `${id}:0` }, payload: { response_url: slackUrl("/stale") } };
      assert.equal((await post(press(id, "U0ANN", before))).code, "conflict");
      const { body } = await posts((one) => one.path === "/stale");
      assert.match(JSON.stringify(body), /has version 1 by now/);
      const deny = { action: { value: `${id}:0`, action_id: "sallyport-deny" } };
      assert.equal((await post(press(id, "U0ANN", deny))).status, 204);
    });

    it("are refused for a form of another shape, and answered to nobody but Slack", async () => {
      const { id } = await ask("web");
      const forms = [
        { body: "" },
        { body: "payload=" },
        { body: "payload=%7B%7D" },
        press(id, "U0ANN", { payload: { type: "view_submission" } }),
        press(id, "U0ANN", { action: { action_id: "something-else" } }),
        press("../../etc", "U0ANN"),
        press(id, "U0ANN", { action: { value: id } }),
        press(id, "U0ANN", { action: { value: `${id}:1:2` } }),
      ];
      for (const form of forms) assert.equal((await post(form)).code, "message-malformed", form.body);
      assert.equal((await post({ body: `payload=${"x".repeat(70_000)}` })).code, "message-too-large");
      const seen: string[] = [];
      const other = createServer((request, response) => {
        seen.push(request.url ?? "");
        response.end();
      });
      await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
      const elsewhere = `http://127.0.0.1:${(other.address() as AddressInfo).port}/steal`;
      const form = press(id, "U0ANN", {
        action: { action_id: "sallyport-deny" },
        payload: { response_url: elsewhere },
      });
      assert.equal((await post(form)).status, 204);
      const last = press(id, "U0ANN", { payload: { response_url: slackUrl("/last") } });
      assert.equal((await post(last)).code, "conflict");
      await posts((one) => one.path === "/last");
      assert.deepEqual(seen, []);
      other.close();
    });
  });
});
