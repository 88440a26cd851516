import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CheckConfiguration } from "@sallyport/control-plane/checks/check-configuration.ts";
import { processesOf } from "../../../demo/light-host/processes.ts";
import { until } from "../../../demo/light-host/until.ts";
import { type Outcome, run } from "../../fixtures/processes.ts";
import { TerminalClient } from "../../fixtures/terminal.ts";
import { PEOPLE, type Person, startWorld, type World } from "../../fixtures/world.ts";

const SCIM_TOKEN = "a-token-that-this-idp-sends-with-every-request";
/** From the notice to the end of session and processes. */
const PROMISED_MS = 1_000;

/** The promise that this product is for: what the IdP says ends access, live sessions and what they left running included. */
describe("revoked by the IdP", () => {
  let world: World;
  let directory: string;
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "sallyport-scim-"));
    const tokenFile = join(directory, "token");
    writeFileSync(tokenFile, `${SCIM_TOKEN}\n`, { mode: 0o600 });
    world = await startWorld({
      backChannelLogout: true,
      engagements: [
        { name: "web", members: ["alice", "carol", "dave"] },
        { name: "plain", members: ["bob"], mfa: { level: "none", maxAge: null } },
      ],
      issuer: {
        scim: { tokenFile },
        securityEvents: {},
        globalTokenRevocation: {},
        check: { every: 5, timeout: 2 },
      },
    });
  });
  after(async () => {
    await world.close();
    rmSync(directory, { recursive: true });
  });

  const subjectOf = (name: string) => PEOPLE.find((one) => one.name === name)?.sub ?? "";
  const now = () => Math.floor(Date.now() / 1000);

  interface Live {
    person: Person;
    terminal: TerminalClient;
    /** Of what was left running in the background, as this machine sees it. */
    background: number;
    /** What it calls itself. */
    marker: string;
    /** When the notice had been taken, in seconds. */
    endedAt: number;
  }

  /** A sign-in, a shell, and a process that has detached itself from it. */
  async function live(name: string): Promise<Live> {
    const person = world.person(name);
    const { status, stderr } = await person.signIn({ force: true });
    assert.equal(status, 0, stderr);
    const terminal = new TerminalClient(person.ssh("web-1"), { env: person.env });
    await terminal.shows(/\$ $/);
    const marker = `left-by-${name}-${randomUUID().slice(0, 8)}`;
    terminal.type(`setsid -f bash -c 'exec -a ${marker} sleep 3000' >/dev/null 2>&1 </dev/null\r`);
    let background = 0;
    const runs = () => {
      background = processesOf(world.host.pid).find(({ argv }) => argv[0] === marker)?.pid ?? 0;
      return background !== 0;
    };
    assert.ok(await until(runs, 10_000), "the background process runs");
    return { person, terminal, background, marker, endedAt: 0 };
  }

  const isGone = (pid: number) => {
    try {
      process.kill(pid, 0);
      return false;
    } catch {
      return true;
    }
  };

  /** Sends a notice, and measures until session and background process are gone. */
  async function ends(
    what: string,
    live: Live,
    notice: () => Promise<unknown>,
    within = PROMISED_MS,
  ): Promise<void> {
    const { terminal, background, marker } = live;
    const begun = performance.now();
    const took = async (event: Promise<unknown>) => {
      await event;
      return Math.round(performance.now() - begun);
    };
    const [session, left] = await Promise.all([
      took(terminal.exited),
      took(until(() => isGone(background), within + 10_000)),
      notice().then(() => {
        live.endedAt = now();
      }),
    ]);
    console.log(`      ${what}: session ended after ${session} ms, background process after ${left} ms`);
    assert.match(terminal.text, /sallyport: .*This session ends now\./);
    assert.ok(session <= within, `the session ended after ${session} ms`);
    assert.ok(left <= within, `the background process ended after ${left} ms`);
    assert.deepEqual(
      processesOf(world.host.pid).filter(({ argv }) => argv[0] === marker),
      [],
    );
  }

  const login = ({ person }: Live): Promise<Outcome> =>
    run(person.ssh("web-1", "echo in"), { env: person.env });

  /** The certificate of before is no good any more, and its holder is told why. */
  async function isRefused(live: Live, why: RegExp): Promise<void> {
    const { status, stdout, stderr } = await login(live);
    assert.equal(stdout.toString(), "");
    assert.notEqual(status, 0);
    assert.match(stderr, why);
  }

  async function mayComeBack(live: Live): Promise<void> {
    // Sign-ins count by whole seconds: what has ended goes up to the end of that one.
    assert.ok(await until(() => now() > live.endedAt, 2_000));
    const signIn = await live.person.signIn({ force: true });
    assert.equal(signIn.status, 0, signIn.stderr);
    assert.equal((await login(live)).stdout.toString(), "in\n");
  }

  async function mayNotSignIn({ person }: Live, why: RegExp): Promise<void> {
    const { status, stderr } = await person.signIn({ force: true });
    assert.notEqual(status, 0);
    assert.match(stderr, why);
  }

  async function post(
    path: string,
    headers: Record<string, string>,
    body: string,
    method = "POST",
  ): Promise<{ status: number; text: string }> {
    const response = await fetch(`${world.url}${path}`, { method, headers, body });
    return { status: response.status, text: await response.text() };
  }

  const pushSet = async (type: string, name: string, event: object) => {
    const { issuer } = world.idp;
    const sub_id = { format: "iss_sub", iss: issuer, sub: subjectOf(name) };
    const claims = {
      iss: issuer,
      aud: world.url,
      iat: now(),
      jti: randomUUID(),
      sub_id,
      events: { [type]: event },
    };
    const set = world.idp.signIdToken(claims, { typ: "secevent+jwt" });
    const answer = await post("/security-events", { "content-type": "application/secevent+jwt" }, set);
    assert.equal(answer.status, 202, answer.text);
  };

  it("by back-channel logout, when the contractor signs out in the browser", async () => {
    const session = await live("alice");
    await ends("back-channel logout", session, () => session.person.signOutAtIdp(world.idp.issuer));
    await isRefused(session, /revoked .* back-channel logout of Test IdP: signed out at the IdP/);
    await mayComeBack(session);
  });

  it("by Global Token Revocation, as Okta's Universal Logout sends it", async () => {
    const session = await live("alice");
    const { issuer } = world.idp;
    await ends("Global Token Revocation", session, async () => {
      const aud = `${world.url}/global-token-revocation`;
      const claims = { iss: issuer, sub: "the-app", aud, jti: randomUUID(), iat: now(), exp: now() + 300 };
      const token = world.idp.signIdToken(claims, { typ: "global-token-revocation+jwt" });
      const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
      const sub_id = { format: "iss_sub", iss: issuer, sub: subjectOf("alice") };
      const answer = await post("/global-token-revocation", headers, JSON.stringify({ sub_id }));
      assert.equal(answer.status, 204, answer.text);
    });
    await isRefused(session, /revoked .* global token revocation of Test IdP/);
    await mayComeBack(session);
  });

  it("by CAEP session-revoked", async () => {
    const session = await live("alice");
    const type = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";
    await ends("CAEP session-revoked", session, () =>
      pushSet(type, "alice", { event_timestamp: now(), reason_admin: { en: "laptop stolen" } }),
    );
    await isRefused(session, /revoked .* Test IdP/);
    await mayComeBack(session);
  });

  it("by RISC account-disabled, and no new sign-in is let in", async () => {
    const session = await live("dave");
    const type = "https://schemas.openid.net/secevent/risc/event-type/account-disabled";
    await ends("RISC account-disabled", session, () => pushSet(type, "dave", { reason: "hijacking" }));
    const why =
      /Your (access|account) was revoked .* by security events of Test IdP: RISC account-disabled: hijacking\. Ask dana@company\.test/;
    await isRefused(session, why);
    await mayNotSignIn(session, why);
  });

  it("by SCIM active:false, and no new sign-in is let in", async () => {
    const headers = { authorization: `Bearer ${SCIM_TOKEN}`, "content-type": "application/scim+json" };
    const user = {
      schemas: ["urn:ietf:params:scim:schemas:core:2.0:User"],
      ...{ userName: "carol@vendor.test", externalId: subjectOf("carol"), active: true },
    };
    const made = await post("/scim/v2/Users", headers, JSON.stringify(user));
    assert.equal(made.status, 201, made.text);
    const { id } = JSON.parse(made.text) as { id: string };
    const session = await live("carol");
    await ends("SCIM active:false", session, async () => {
      const schemas = ["urn:ietf:params:scim:api:messages:2.0:PatchOp"];
      const patch = { schemas, Operations: [{ op: "replace", value: { active: false } }] };
      const answer = await post(`/scim/v2/Users/${id}`, headers, JSON.stringify(patch), "PATCH");
      assert.ok(answer.status === 200 || answer.status === 204, answer.text);
    });
    const why =
      /Your (access|account) was revoked .* by SCIM of Test IdP: disabled at Test IdP\. Ask dana@company\.test/;
    await isRefused(session, why);
    await mayNotSignIn(session, why);
  });

  it("with nothing pushed: disabled in the IdP, found out by asking", async () => {
    const session = await live("bob");
    await ends(
      "disabled, nothing pushed, asked every 5 s",
      session,
      async () => world.idp.disableUser(subjectOf("bob")),
      9_000,
    );
    await isRefused(session, /revoked .* active check of Test IdP/);
  });

  it("with nothing pushed it is found out within 60 s where nothing is configured", () => {
    const { by, every, timeout } = CheckConfiguration.parse(undefined);
    assert.equal(by, "refresh");
    assert.ok(every + timeout < 60);
  });
});
