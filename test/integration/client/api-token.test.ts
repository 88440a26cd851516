import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "@sallyport/client/program.ts";
import { call, signIn } from "../control-plane/support/client.ts";
import { startTestControlPlane, type TestControlPlane } from "../control-plane/support/control-plane.ts";
import { MAIN } from "./fixtures/sallyport.ts";

const PROGRAM = new URL("../../../control-plane/src/main.ts", import.meta.url).pathname;

describe("sallyport with an API token", () => {
  let plane: TestControlPlane;
  let home: string;
  let token: string;
  let person: string;
  /** Runs a program in a process of its own. */
  const node = (main: string, args: string[], env: Record<string, string> = {}) =>
    new Promise<{ status: number | null; stdout: string; stderr: string }>((resolve) => {
      const own = { PATH: process.env.PATH ?? "", HOME: home, SALLYPORT_HOME: join(home, "s") };
      const child = execFile(
        process.execPath,
        [main, ...args],
        { env: { ...own, ...env } },
        (_error, stdout, stderr) => resolve({ status: child.exitCode, stdout, stderr }),
      );
    });
  /** Runs a command line in this process. */
  const sallyport = async (args: string[], apiToken: string | undefined, server?: string) => {
    const result = { status: 0, stdout: "", stderr: "" };
    const output = (name: "stdout" | "stderr") => ({
      columns: 100,
      write: (chunk: string | Uint8Array) => {
        result[name] += Buffer.from(chunk).toString("utf8");
        return true;
      },
    });
    result.status = await run(args, {
      home: join(home, "s"),
      userHome: home,
      env: server === undefined ? {} : { SALLYPORT_SERVER: server },
      ...(apiToken === undefined ? {} : { apiToken }),
      uid: process.getuid?.() ?? 0,
      platform: "linux",
      nodePath: process.execPath,
      mainPath: MAIN,
      stdout: output("stdout"),
      stderr: output("stderr"),
      now: Date.now,
    });
    return result;
  };

  before(async () => {
    home = mkdtempSync(join(tmpdir(), "sallyport-token-"));
    plane = await startTestControlPlane();
    const { apiToken } = await signIn(plane.url, plane.idp.issuer, "sam");
    const wish = { name: "ci", scopes: ["engagements:read"], expiresAt: Math.floor(Date.now() / 1000) + 600 };
    person = apiToken;
    const made = await call(plane.url, "POST", "/tokens", { token: apiToken, body: wish });
    token = (made.body as { token: string }).token;
  });
  after(async () => {
    await plane.close();
    rmSync(home, { recursive: true, force: true });
  });

  it("does what the token may, without a sign-in", async () => {
    const { status, stdout, stderr } = await sallyport(["engagement", "list", "--json"], token, plane.url);
    assert.equal(status, 0, stderr);
    const names = (JSON.parse(stdout) as { name: string }[]).map(({ name }) => name).sort();
    assert.deepEqual(names, ["later-work", "web-work"]);
    const refused = await sallyport(["token", "create", "x", "--scope", "hosts:read"], token, plane.url);
    assert.deepEqual([refused.status, refused.stdout], [6, ""]);
    assert.match(refused.stderr, /tokens:write, which this token does not have/);
    assert.ok(!refused.stderr.includes(token));
  });

  it("wants the server named with the token, and https", async () => {
    const { status, stderr } = await sallyport(["sessions"], token);
    assert.equal(status, 2);
    assert.match(stderr, /set SALLYPORT_SERVER/);
    assert.equal((await sallyport(["sessions"], token, "http://192.0.2.1")).status, 2);
  });

  it("says what is wrong with what it is asked to make", async () => {
    for (const args of [
      ["--scope", "x", "--expires", "soon"],
      ["--expires", "1d"],
      ["--scope", "x", "--expires", "0d"],
    ])
      assert.equal(
        (await sallyport(["token", "create", "ci", ...args], token, plane.url)).status,
        2,
        args.join(" "),
      );
  });

  it("makes, lists and revokes tokens for a person who has signed in", async () => {
    const as = (...args: string[]) => sallyport(["token", ...args], person, plane.url);
    const made = await as("create", "prometheus", "--scope", "metrics:read", "--expires", "52w");
    assert.match(made.stdout, /^spt_[0-9A-Za-z]{49}\n$/);
    const listed = JSON.parse((await as("list", "--json")).stdout) as {
      id: string;
      name: string;
      scopes: string[];
    }[];
    const [newest] = listed;
    assert.deepEqual([newest?.name, newest?.scopes], ["prometheus", ["metrics:read"]]);
    assert.match(
      (await as("list")).stdout,
      /^ID +NAME +OF +SCOPES +ENDS +LAST USED\ntok_\w+ +prometheus +Sam Security +metrics:read /,
    );
    assert.equal((await as("revoke", newest?.id ?? "")).status, 0);
    const metrics = await fetch(`${plane.url}/metrics`, {
      headers: { authorization: `Bearer ${made.stdout.trim()}` },
    });
    assert.equal(metrics.status, 401);
  });

  it("gives the token to no program that it starts", async () => {
    const seen = join(home, "seen");
    const browser = join(home, "browser");
    writeFileSync(browser, `#!/bin/sh\nenv > ${seen}\nkill $PPID\n`, { mode: 0o755 });
    const env = { SALLYPORT_TOKEN: token, SALLYPORT_SERVER: plane.url, BROWSER: browser };
    await node(MAIN, ["login", "--server", plane.url], env);
    const environment = readFileSync(seen, "utf8");
    assert.match(environment, /^BROWSER=/m);
    assert.ok(!environment.includes(token));
  });

  it("sets up a control plane with the bootstrap token, which takes --force once there is staff", async () => {
    const file = join(home, "cp.yaml");
    const issuer = `{ name: I, issuer: "https://idp.example.com", clientId: c }`;
    writeFileSync(
      file,
      `version: 1\nurl: ${plane.url}\ndataDirectory: ${plane.config.dataDirectory}\nissuers: [${issuer}]\nstaff: [{ email: a@acme.test, role: admin }]\n`,
    );
    const db = plane.databaseUrl === undefined ? {} : { DATABASE_URL: plane.databaseUrl };
    const refused = await node(PROGRAM, ["bootstrap-token", "--config", file], db);
    assert.deepEqual([refused.status, refused.stdout], [2, ""]);
    assert.match(refused.stderr, /names staff/);
    const made = await node(PROGRAM, ["bootstrap-token", "--config", file, "--force"], db);
    assert.match(made.stdout, /^spt_[0-9A-Za-z]{49}\n$/, made.stderr);
    const { status, stderr } = await sallyport(["engagement", "list"], made.stdout.trim(), plane.url);
    assert.equal(status, 0, stderr);
  });
});
