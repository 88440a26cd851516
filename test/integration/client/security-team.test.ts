import assert from "node:assert/strict";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type IdentityProvider, startIdentityProvider } from "../../../demo/identity-provider.ts";
import { ALICE } from "./fixtures/people.ts";
import { recording, SESSION, SHOWN, summary } from "./fixtures/recording.ts";
import { MAIN } from "./fixtures/sallyport.ts";
import { type SignedIn, signedIn } from "./fixtures/signed-in.ts";

describe("sallyport for the security team", () => {
  let idp: IdentityProvider;
  let all: SignedIn;
  const stored = recording({ complete: true });

  before(async () => {
    idp = await startIdentityProvider({ port: 0, users: [ALICE] });
    all = await signedIn(idp);
  });
  after(async () => {
    await all.close();
    await idp.close();
  });
  beforeEach(() => {
    all.server.state.requests = [];
    all.server.state.recordings = new Map([[SESSION, stored]]);
    all.server.state.sessions = [
      summary(),
      summary({
        id: "ses_01jd3m0000000000000000abce",
        state: "live",
        startedAt: Math.floor(Date.now() / 1000) - 30,
        endedAt: null,
        exitStatus: null,
        endReason: null,
        kind: "command",
        recording: { state: "partial", held: true, deletedAt: null, deletedBy: null },
        command: "tail -f \u001b[2Jlog",
      }),
      summary({
        id: "ses_01jd3m0000000000000000abcf",
        startedAt: 1_600_000_000,
        endedAt: 1_600_000_001,
        exitStatus: null,
        signal: "KILL",
        endReason: "revoked",
        recording: { state: "deleted", held: false, deletedAt: 1_700_000_000, deletedBy: "retention" },
      }),
    ];
  });

  it("lists sessions as a table, newest first, with nothing that a terminal obeys", async () => {
    const result = await all.machine.run("sessions");
    assert.equal(result.status, 0, result.stderr);
    const [head, live, ended, revoked, ...rest] = result.stdout.split("\n");
    assert.match(
      head ?? "",
      /^ID +STARTED +LASTED +HOST +ACCOUNT +MEMBER +ENGAGEMENT +STATE +RECORDING +COMMAND$/,
    );
    assert.match(
      live ?? "",
      /^ses_01jd3m0000000000000000abce .* 3\d s +web-1 +deploy +Alice Example +acme-web +live +partial, held +tail -f \\u\{1b\}\[2Jlog$/,
    );
    assert.match(
      ended ?? "",
      /^ses_01jd3m0000000000000000abcd +2023-11-14 22:13 +65 s .* exit 0 +complete +\(shell\)$/,
    );
    assert.match(
      revoked ?? "",
      /^ses_01jd3m0000000000000000abcf .* revoked, KILL +deleted 2023-11-14 22:13 by retention +\(shell\)$/,
    );
    assert.deepEqual(rest, [""]);
  });

  it("lists sessions as JSON, and leaves the choice to the control plane", async () => {
    const result = await all.machine.run(
      "sessions",
      "--json",
      "--live",
      "--host",
      "web-1",
      "--member",
      "alice@vendor.test",
      "--limit",
      "5",
    );
    const list = JSON.parse(result.stdout);
    assert.equal(list[1].id, SESSION);
    assert.equal(list[1].startedAt, "2023-11-14T22:13:20.250Z");
    assert.equal(list[1].endedAt, "2023-11-14T22:14:25.500Z");
    assert.deepEqual(list[1].engagement, { id: "eng_1", name: "acme-web" });
    const [request] = all.server.state.requests;
    assert.deepEqual(Object.fromEntries(new URLSearchParams(request?.query)), {
      state: "live",
      host: "web-1",
      member: "alice@vendor.test",
      limit: "5",
    });
  });

  it("plays a recording into a pipe at once, without what would make a terminal act", async () => {
    const result = await all.machine.run("play", SESSION);
    assert.equal(result.status, 0, result.stderr);
    assert.equal(result.stdout, SHOWN.join("").replace("\u001b]52;c;aGk=\u0007", ""));
  });

  it("plays a recording on a terminal in its own time, and puts the terminal back in order", async () => {
    const command = `'${process.execPath}' '${MAIN}' play ${SESSION} --speed 10`;
    const started = performance.now();
    const result = await all.machine.spawn("script", ["-qec", command, "/dev/null"]).finished;
    assert.equal(result.status, 0, result.stderr);
    assert.ok(performance.now() - started > 300);
    assert.match(result.stdout, /\$ echo wörld\r+\n.*\$ exit/s);
    assert.ok(!result.stdout.includes("]52;"));
    assert.ok(result.stdout.endsWith("\u000f"));
  });

  it("exports every byte as raw, and text and asciicast", async () => {
    assert.equal((await all.machine.run("export", SESSION, "--format", "raw")).stdout, SHOWN.join(""));
    assert.equal(
      (await all.machine.run("export", SESSION, "--format", "text")).stdout,
      "$ echo wörld\nwörld\n$ exit\n",
    );
    const [header, ...events] = (await all.machine.run("export", SESSION, "--format", "asciicast-v2")).stdout
      .trim()
      .split("\n");
    assert.equal(JSON.parse(header ?? "").version, 2);
    assert.deepEqual(
      events.map((each) => JSON.parse(each)),
      SHOWN.map((text, index) => [index + 1, "o", text]),
    );
    assert.equal(
      JSON.parse(
        (await all.machine.run("export", SESSION, "--format", "asciicast-v3")).stdout.split("\n")[0] ?? "",
      ).version,
      3,
    );
  });

  it("exports to a file that only its owner reads", async () => {
    const file = join(all.machine.directory, "out.txt");
    const result = await all.machine.run("export", SESSION, "--format", "raw", "--output", file);
    assert.deepEqual([result.status, result.stdout], [0, ""]);
    assert.equal(readFileSync(file, "utf8"), SHOWN.join(""));
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.equal(
      (await all.machine.run("export", SESSION, "--format", "raw", "--output", "/dev/null")).status,
      0,
    );
    assert.ok(statSync("/dev/null").isCharacterDevice());
  });

  it("says no to a format that it does not know, and to a session that is not there", async () => {
    const format = await all.machine.run("export", SESSION, "--format", "gif");
    assert.equal(format.status, 2);
    assert.match(format.stderr, /Allowed choices are asciicast-v2, asciicast-v3, text, raw/);
    const missing = await all.machine.run("play", "ses_01jd3m0000000000000000zzzz");
    assert.deepEqual([missing.status, missing.stderr], [1, "sallyport: There is no such thing.\n"]);
  });

  it("verifies a recording", async () => {
    const result = await all.machine.run("verify", SESSION);
    assert.equal(result.status, 0, result.stderr);
    assert.match(
      result.stdout,
      /^The recording holds: 3 blocks, 5 frames, \d+ bytes\.\nSigned by SHA256:\S+, as the control plane says;.*\nLast block: [0-9a-f]{64}\nAudit log: the control plane does not show that .*\n$/,
    );
    const asJson = JSON.parse((await all.machine.run("verify", SESSION, "--json")).stdout);
    assert.deepEqual([asJson.id, asJson.verified, asJson.blocks, asJson.complete], [SESSION, true, 3, true]);
  });

  it("names the block that was altered, cut off or signed by somebody else", async () => {
    const altered = Buffer.from(stored.bytes);
    const inside = altered.length - 100;
    altered.writeUInt8(altered.readUInt8(inside) ^ 1, inside);
    all.server.state.recordings.set(SESSION, { ...stored, bytes: altered });
    const result = await all.machine.run("verify", SESSION);
    assert.deepEqual([result.status, result.stderr], [7, "sallyport: Block 2 is not signed by its host.\n"]);

    all.server.state.recordings.set(SESSION, { ...stored, bytes: stored.bytes.subarray(0, -1) });
    const cut = await all.machine.run("verify", SESSION);
    assert.deepEqual(
      [cut.status, cut.stderr],
      [7, "sallyport: Block 2 is cut off or its header is damaged.\n"],
    );

    all.server.state.recordings.set(SESSION, { ...stored, hostKey: recording({ complete: true }).hostKey });
    const other = await all.machine.run("verify", SESSION);
    assert.deepEqual([other.status, other.stderr], [7, "sallyport: Block 0 is not signed by its host.\n"]);
    assert.equal((await all.machine.run("verify", SESSION, "--host-key", stored.hostKey)).status, 0);
  });

  it("accepts a recording that has not ended only when told to", async () => {
    all.server.state.recordings.set(SESSION, recording({ complete: false }));
    const result = await all.machine.run("verify", SESSION);
    assert.deepEqual(
      [result.status, result.stderr],
      [7, "sallyport: The recording stops after block 1, without its end record.\n"],
    );
    const open = await all.machine.run("verify", SESSION, "--open");
    assert.match(open.stdout, /2 blocks, 4 frames, \d+ bytes, not ended yet\./);
  });

  it("verifies a stored file offline, with a key that was noted", async () => {
    const file = join(all.machine.directory, "recording");
    writeFileSync(file, stored.bytes);
    const result = await all.machine.run("verify", "--file", file, "--host-key", stored.hostKey);
    assert.equal(result.status, 0, result.stderr);
    assert.equal((await all.machine.run("verify", "--file", file)).status, 2);
    assert.equal((await all.machine.run("verify")).status, 2);
    assert.deepEqual(all.server.state.requests, []);
  });

  it("lists, shows and ends engagements", async () => {
    const list = JSON.parse((await all.machine.run("engagement", "list", "--json")).stdout);
    assert.deepEqual(
      list.map((each: { name: string }) => each.name),
      ["acme-next", "acme-web", "acme-old"],
    );
    assert.match(
      (await all.machine.run("engagements")).stdout,
      /^ENGAGEMENT +STATE .*\nacme-next +not-started /,
    );
    assert.match(
      (await all.machine.run("engagement", "show", "acme-web")).stdout,
      /^Engagement {2}acme-web \(eng_.*\)\nState {7}running\n/,
    );
    const end = await all.machine.run("engagement", "end", "acme-web", "--reason", "done");
    assert.equal(end.stdout, "Engagement acme-web has ended.\n  web-1: acknowledged\n");
    assert.deepEqual(all.server.state.requests.at(-1), {
      call: "POST /engagements/acme-web/end",
      body: { reason: "done" },
      query: "",
    });
    assert.equal((await all.machine.run("engagement", "show", "nothing")).status, 1);
  });

  it("explains the last refusal", async () => {
    assert.match((await all.machine.run("why")).stderr, /No host has refused you/);
    all.server.state.refusal = {
      at: Math.floor(Date.now() / 1000) - 600,
      host: "web-1",
      account: "deploy",
      code: "engagement-ended",
      told: "acme-old ended; ask dana",
      detail: "x",
    };
    const result = await all.machine.run("why");
    assert.match(
      result.stdout,
      /^\S+ \S+ \(10 min ago\): web-1 refused the login as deploy \(engagement-ended\)\.\nYour engagement has ended\.\nThe host said: acme-old ended; ask dana\nAsk the contact of the engagement; sallyport status names them\.\n$/,
    );
    const asJson = JSON.parse((await all.machine.run("why", "--json")).stdout);
    assert.deepEqual(
      [asJson.refusal.code, asJson.refusal.explanation, asJson.failure],
      ["engagement-ended", "Your engagement has ended.", null],
    );
  });

  it("says that a sign-in has expired", async () => {
    const tokens = [...all.server.state.tokens];
    all.server.state.tokens.clear();
    const result = await all.machine.run("sessions");
    for (const token of tokens) all.server.state.tokens.add(token);
    assert.deepEqual(
      [result.status, result.stderr],
      [3, "sallyport: The sign-in has expired. Sign in again.\n"],
    );
  });
});
