import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { FRESH_ID_TOKEN_EXTENSION } from "@sallyport/core/admission/certificate-extensions.ts";
import { parseCertificateLine } from "@sallyport/core/ssh/certificate.ts";
import { forgeLogin } from "../../fixtures/forged-login.ts";
import { type Outcome, run } from "../../fixtures/processes.ts";
import { PEOPLE, type Person, startWorld, type World } from "../../fixtures/world.ts";

const HOUR = 3600;
const now = (): number => Math.floor(Date.now() / 1000);
const subjectOf = (name: string): string => PEOPLE.find((one) => one.name === name)?.sub ?? "";

interface Held {
  validBefore: number;
  file: string | null;
  renewal: { file: string; from: number; until: number } | null;
}

describe("one sign-in a day, where the contractor's machine keeps the refresh token", () => {
  let world: World;

  before(async () => {
    world = await startWorld({
      engagements: [{ name: "web", members: ["alice", "bob", "carol", "dave"], mfa: { level: "none" } }],
      controlPlane: { certificateLifetime: 60 },
      issuer: { check: { by: "none" } },
    });
  });
  after(() => world.close());

  const held = (person: Person): Held => JSON.parse(readFileSync(join(person.home, "key.json"), "utf8"));
  const grant = (person: Person) => JSON.parse(readFileSync(held(person).renewal?.file ?? "", "utf8"));
  const certificate = (person: Person) =>
    parseCertificateLine(readFileSync(join(person.home, "sallyport-cert.pub"), "utf8").trim());

  /** As if so much time had gone by that a renewal is due, or the certificate over. */
  async function due(person: Person, changes: Partial<Held> = {}): Promise<void> {
    // A second at least: two ID tokens of one second would be one and the same, and that is taken once.
    const issued = Math.floor(statSync(join(person.home, "sallyport-cert.pub")).mtimeMs / 1000);
    while (now() <= issued) await setTimeout(50);
    const state = held(person);
    const renewal = state.renewal && { ...state.renewal, from: 0 };
    writeFileSync(join(person.home, "key.json"), JSON.stringify({ ...state, renewal, ...changes }));
    writeFileSync(join(person.home, "valid-until"), "0\n");
  }

  const ssh = (person: Person, ...command: string[]): Promise<Outcome> =>
    run(person.ssh("web-1", ...command), { env: person.env });

  async function greets(person: Person): Promise<void> {
    const { stdout, stderr, status } = await ssh(person, "echo in");
    assert.deepEqual([stdout.toString(), status], ["in\n", 0], stderr);
  }

  /** Trades a refresh token at the IdP, as a command that was killed before it could write would have. */
  async function refreshElsewhere(refreshToken: string): Promise<string | undefined> {
    const form = { grant_type: "refresh_token", refresh_token: refreshToken, client_id: "sallyport-cli" };
    const answer = await fetch(`${world.idp.issuer}/token`, {
      method: "POST",
      body: new URLSearchParams(form),
    });
    return ((await answer.json()) as { refresh_token?: string }).refresh_token;
  }

  it("lets plain ssh go on without a browser, with another certificate for the same key", async () => {
    const alice = await world.signedIn("alice");
    const { extensions, publicKey } = certificate(alice);
    assert.ok(!extensions.has(FRESH_ID_TOKEN_EXTENSION));
    const serials = new Set([certificate(alice).serial]);
    const refreshTokens = new Set([grant(alice).refreshToken]);
    for (const state of [{}, { validBefore: 1 }, {}]) {
      await due(alice, state);
      await greets(alice);
      assert.ok(certificate(alice).extensions.has(FRESH_ID_TOKEN_EXTENSION));
      assert.deepEqual(certificate(alice).publicKey.blob, publicKey.blob);
      serials.add(certificate(alice).serial);
      refreshTokens.add(grant(alice).refreshToken);
    }
    assert.deepEqual([serials.size, refreshTokens.size], [4, 4]);
  });

  it("asks nobody while the certificate is good", async () => {
    const alice = world.person("alice");
    const { serial } = certificate(alice);
    await greets(alice);
    assert.equal(certificate(alice).serial, serial);
  });

  it("keeps the refresh token where the key is, for its owner only, and says until when", async () => {
    const alice = world.person("alice");
    const { file, renewal } = held(alice);
    assert.ok(file !== null && renewal !== null);
    assert.equal(join(renewal.file, ".."), join(file, ".."));
    assert.equal(statSync(renewal.file).mode & 0o777, 0o600);
    const status = await alice.sallyport(["status"]);
    assert.match(status.stdout.toString(), /renewed as you use it, without a browser, until .* \(in 1[12] h/);
    const { renewedUntil } = JSON.parse((await alice.sallyport(["status", "--json"])).stdout.toString());
    assert.equal(Date.parse(renewedUntil) / 1000, renewal.until);
    for (const token of [grant(alice).refreshToken, grant(alice).idToken])
      for (const name of ["key.json", "sign-in.json", "server.json"])
        assert.ok(!readFileSync(join(alice.home, name), "utf8").includes(token), name);
  });

  it("renews once for several ssh at a time", async () => {
    const alice = world.person("alice");
    const { serial } = certificate(alice);
    await due(alice, { validBefore: 1 });
    await Promise.all([1, 2, 3, 4].map(() => greets(alice)));
    assert.notEqual(certificate(alice).serial, serial);
    // A refresh token used twice would have ended it all at the IdP.
    const { refreshToken } = grant(alice);
    assert.ok(await refreshElsewhere(refreshToken));
  });

  it("loses nothing to a crash once the new refresh token is written", async () => {
    const bob = await world.signedIn("bob");
    const { file = "" } = held(bob).renewal ?? {};
    const refreshToken = await refreshElsewhere(grant(bob).refreshToken);
    writeFileSync(file, JSON.stringify({ ...grant(bob), refreshToken, inDoubt: false }));
    await due(bob, { validBefore: 1 });
    await greets(bob);
  });

  it("goes on with the certificate that is left after a crash before that, and then asks for a sign-in", async () => {
    const bob = world.person("bob");
    const { file = "" } = held(bob).renewal ?? {};
    const before = certificate(bob).serial;
    await refreshElsewhere(grant(bob).refreshToken);
    writeFileSync(file, JSON.stringify({ ...grant(bob), inDoubt: true }));
    await due(bob);
    await greets(bob);
    assert.deepEqual([certificate(bob).serial, held(bob).renewal], [before, null]);
    assert.ok(!existsSync(file));
    await due(bob, { validBefore: 1 });
    const child = spawn("ssh", bob.ssh("web-1", "true").slice(1), { env: bob.env, detached: true });
    await asked(child, /sign in to go on/);
  });

  async function asked(child: ChildProcess, pattern: RegExp): Promise<void> {
    try {
      for await (const piece of child.stderr ?? []) if (pattern.test(String(piece))) return;
      assert.fail(`ended without ${pattern}`);
    } finally {
      // With what ssh has started, which waits for a browser.
      process.kill(-(child.pid ?? 0));
    }
  }

  it("keeps the key in an ssh-agent, and renews with its signature", async () => {
    const carol = world.person("carol");
    const socket = join(world.directory, "agent.sock");
    const agent = spawn("ssh-agent", ["-D", "-a", socket], { stdio: ["ignore", "pipe", "inherit"] });
    await new Promise((resolve) => agent.stdout?.once("data", resolve));
    carol.env.SSH_AUTH_SOCK = socket;
    try {
      assert.equal((await carol.signIn()).status, 0);
      assert.equal(held(carol).file, null);
      const { serial } = certificate(carol);
      await due(carol);
      await greets(carol);
      assert.notEqual(certificate(carol).serial, serial);
      await carol.sallyport(["logout"]);
      const list = await run(["ssh-add", "-l"], { env: carol.env });
      assert.equal(list.stdout.toString(), "The agent has no identities.\n");
    } finally {
      agent.kill();
      delete carol.env.SSH_AUTH_SOCK;
    }
  });

  it("ends at the IdP with logout", async () => {
    const carol = await world.signedIn("carol");
    const { refreshToken } = grant(carol);
    const { file = "" } = held(carol).renewal ?? {};
    const { stderr } = await carol.sallyport(["logout"]);
    assert.equal(stderr, "Signed out.\n");
    assert.ok(!existsSync(file));
    assert.equal(await refreshElsewhere(refreshToken), undefined);
  });

  it("ends when the IdP disables the account: one clear sentence, and nothing is left to log in with", async () => {
    const dave = await world.signedIn("dave");
    const { file = "" } = held(dave).renewal ?? {};
    await greets(dave);
    world.idp.disableUser(subjectOf("dave"));
    await due(dave);
    const refused = await ssh(dave, "echo in");
    assert.deepEqual([refused.status, refused.stdout.toString()], [255, ""]);
    assert.match(
      refused.stderr,
      /^sallyport: Your identity provider, Test IdP, no longer vouches for you \(invalid_grant[^\n]*sign in again with: sallyport login\.[^\n]*\n$/,
    );
    for (const path of [file, join(dave.home, "key.json"), join(dave.home, "sallyport-cert.pub")])
      assert.ok(!existsSync(path), path);
    assert.match((await dave.sallyport(["why"])).stdout.toString(), /no longer vouches for you/);
    world.idp.enableUser(subjectOf("dave"));
    assert.equal((await dave.signIn()).status, 0);
    world.idp.disableUser(subjectOf("dave"));
    await due(dave);
    assert.equal((await dave.sallyport(["ssh", "web-1", "true"])).status, 5);
  });

  for (const [what, length] of [
    ["4 KB", 3000],
    ["16 KB", 11_900],
  ] as const) {
    it(`passes sshd with two ID tokens of ${what} in the certificate`, async () => {
      const outcome = await run(renewed({}, {}, "x".repeat(length)).ssh("echo in"));
      assert.equal(outcome.stdout.toString(), "in\n", outcome.stderr);
    });
  }

  const rows: [attempt: string, original: object, fresh: object][] = [
    ["another person's fresh token", {}, { sub: subjectOf("bob") }],
    ["a fresh token with the nonce of another key", {}, { nonce: "bm90IHRoZSBub25jZQ" }],
    ["a sign-in that commits to another key", { nonce: "bm90IHRoZSBub25jZQ" }, {}],
    ["a fresh token that is over", {}, { exp: now() - 61 }],
    [
      "a sign-in of yesterday",
      { auth_time: now() - 12 * HOUR - 300 },
      { auth_time: now() - 12 * HOUR - 300 },
    ],
  ];
  for (const [attempt, original, fresh] of rows) {
    it(`refuses somebody with the CA's key and ${attempt}`, async () => {
      const outcome = await run(renewed(original, fresh).ssh("echo in"));
      assert.deepEqual([outcome.status, outcome.stdout.toString()], [255, ""]);
      assert.match(outcome.stderr, /Permission denied \(publickey\)/);
    });
  }

  /** Alice's certificate as a renewal would make it, of a sign-in three hours ago whose token is over. */
  function renewed(original: object, fresh: object, filler = "") {
    const signedIn = now() - 3 * HOUR;
    const claims = { iat: signedIn, auth_time: signedIn, exp: signedIn + HOUR, filler, ...original };
    const { iss, aud } = { iss: world.idp.issuer, aud: "sallyport-cli" };
    const later = { iss, sub: subjectOf("alice"), aud, iat: now(), exp: now() + 600, auth_time: signedIn };
    const token = world.idp.signIdToken({ ...later, filler, ...fresh });
    return forgeLogin(world, subjectOf("alice"), {
      claims,
      certificate: (content) => ({
        ...content,
        extensions: new Map([...(content.extensions ?? []), [FRESH_ID_TOKEN_EXTENSION, Buffer.from(token)]]),
      }),
    });
  }

  it("goes on with what is there, and soon, while the identity provider is away", async () => {
    const alice = await world.signedIn("alice");
    await world.idp.close();
    await due(alice);
    await greets(alice);
    // Not again with the very next ssh.
    assert.ok((held(alice).renewal?.from ?? 0) > now() + 30);
  });
});
