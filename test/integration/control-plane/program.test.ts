import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { systemRandom } from "@sallyport/control-plane/environment.ts";
import { createLog } from "@sallyport/control-plane/log.ts";
import { run as runHere } from "@sallyport/control-plane/program.ts";
import { parseJoinToken, Trust, trustHash } from "@sallyport/core/messages/trust.ts";
import { call } from "./support/client.ts";
import { enrol } from "./support/host.ts";

const MAIN = new URL("../../../control-plane/src/main.ts", import.meta.url).pathname;

describe("control plane program", () => {
  let directory: string;
  let config: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "sallyport-program-"));
    config = join(directory, "cp.yaml");
    writeConfig(0);
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  function writeConfig(port: number, extra = ""): void {
    const issuers = `issuers: [{ name: Acme, issuer: "http://127.0.0.1:9", clientId: sallyport-cli }]`;
    const text = `version: 1\nlisten: { address: 127.0.0.1, port: ${port} }\nurl: http://127.0.0.1:${port}\ndataDirectory: ${directory}/data\n${issuers}\n${extra}`;
    writeFileSync(config, text);
  }
  const run = (...args: string[]) =>
    new Promise<{ status: number; stdout: string; stderr: string }>((resolve) => {
      execFile(process.execPath, [MAIN, ...args], (error, stdout, stderr) => {
        resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr });
      });
    });
  /** Runs a command in this process. */
  const here = async (args: string[], variables: Record<string, string> = {}) => {
    const output = { stdout: "", stderr: "" };
    const write = (name: "stdout" | "stderr") => ({ write: (text: string) => (output[name] += text) });
    const environment = { clock: Date.now, random: systemRandom, log: createLog() };
    const context = { environment, databaseUrl: undefined, variables };
    const status = await runHere(args, { ...context, stdout: write("stdout"), stderr: write("stderr") });
    return { status, ...output };
  };
  /** Starts the server and resolves when it says that it listens. */
  const serve = async (): Promise<{
    child: ChildProcess;
    url: string;
    lines: Record<string, unknown>[];
    more(): Promise<unknown>;
  }> => {
    const child = spawn(process.execPath, [MAIN, "serve", "--config", config], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const lines: Record<string, unknown>[] = [];
    const reader = createInterface({ input: child.stdout });
    reader.on("line", (line) => lines.push(JSON.parse(line)));
    const more = () => once(reader, "line");
    for (;;) {
      const listening = lines.find(({ msg }) => msg === "listening");
      if (listening !== undefined) return { child, url: String(listening.url), lines, more };
      await more();
    }
  };
  const stop = async (child: ChildProcess, signal: NodeJS.Signals = "SIGTERM"): Promise<unknown> => {
    const exited = once(child, "exit");
    child.kill(signal);
    return (await exited)[0];
  };

  it("serves, makes join tokens meanwhile, reads its policy again, and stops when told", async () => {
    const policy = join(directory, "policy.yaml");
    writeFileSync(policy, "version: 1\n");
    writeConfig(0, `policyFile: ${policy}\n`);
    const { child, url, lines, more } = await serve();
    assert.equal((await fetch(`${url}/healthz`)).status, 200);
    assert.equal((await fetch(`${url}/readyz`)).status, 200);
    const page = await fetch(url);
    assert.match(page.headers.get("content-security-policy") ?? "", /default-src 'none'/);
    assert.match(await page.text(), /sallyport login --server/);
    const { status, stdout } = await run(
      "join-token",
      "--config",
      config,
      "--name",
      "web-1",
      "--address",
      "127.0.0.1",
      "--port",
      "7302",
      "--label",
      "env=test",
    );
    assert.equal(status, 0);
    const enrolled = await enrol(url, stdout);
    assert.equal(enrolled.name, "web-1");
    writeFileSync(policy, "version: 1\nmembers: [{ name: A, email: a@b.test, vendor: v }]\n");
    child.kill("SIGHUP");
    while (!lines.some(({ members }) => (members as { added?: number } | undefined)?.added === 1))
      await more();
    writeFileSync(policy, "version: 1\nmembrs: []\n");
    child.kill("SIGHUP");
    while (!lines.some(({ msg }) => String(msg).includes("the old one stays"))) await more();
    assert.equal(lines.filter(({ msg }) => msg === "listening").length, 1);
    assert.equal(await stop(child), 0);
  });

  it("puts the hash of the trust that it serves into join tokens", async () => {
    const probe = createServer().listen(0, "127.0.0.1");
    await once(probe, "listening");
    const { port } = probe.address() as AddressInfo;
    await new Promise((resolve) => probe.close(resolve));
    writeConfig(port);
    const { child, url } = await serve();
    const token = parseJoinToken(
      (await run("join-token", "--config", config, "--name", "web-1", "--address", "::1")).stdout,
    );
    assert.equal(token.server, url);
    assert.equal(token.trustHash, trustHash(Trust.parse((await call(url, "GET", "/trust")).body)));
    assert.equal(await stop(child, "SIGINT"), 0);
  });

  it("names the port that is taken", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port } = other.address() as AddressInfo;
    writeConfig(port);
    const { status, stderr } = await run("serve", "--config", config);
    await new Promise((resolve) => other.close(resolve));
    assert.equal(status, 1);
    assert.match(
      stderr,
      new RegExp(`^The control plane cannot start: port ${port} on 127\\.0\\.0\\.1 is taken.*\\n$`),
    );
  });

  it("refuses an older database until a new audit log is begun", async () => {
    const database = join(directory, "data/sallyport.db");
    const token = ["join-token", "--config", config, "--name", "web-1", "--address", "127.0.0.1"];
    const first = await serve();
    assert.equal(await stop(first.child), 0);
    cpSync(database, join(directory, "backup.db"));
    const second = await serve();
    assert.equal((await run(...token)).status, 0);
    // It is signed when the control plane stops, at the latest.
    assert.equal(await stop(second.child), 0);
    for (const end of ["-wal", "-shm"]) rmSync(`${database}${end}`, { force: true });
    cpSync(join(directory, "backup.db"), database);

    const refused = await run("serve", "--config", config);
    assert.equal(refused.status, 1);
    assert.match(
      refused.stderr,
      /has 0 entries, but the checkpoint in .* says that 1 were signed.*renew-audit-log.*\n$/,
    );
    const renewed = await run("renew-audit-log", "--config", config, "--reason", "restored a backup");
    assert.equal(renewed.status, 0, renewed.stderr);
    assert.match(renewed.stdout, /^\S+\/audit-[0-9a-f]{8}\+[0-9a-f]{8}\+\S+\n$/);
    const third = await serve();
    assert.equal(await stop(third.child), 0);
  });

  const wrong: [args: string[], expected: RegExp][] = [
    [[], /^Usage: node control-plane\/src\/main\.ts [\s\S]*join-token/],
    [["serve", "--config"], /^Option '--config <file>' argument missing\n/],
    [["serve", "--config", "/nowhere/cp.yaml"], /^\/nowhere\/cp\.yaml cannot be read \(ENOENT\)/],
    [["serve", "--config", "CONFIG", "extra"], /^Too many arguments for 'serve'/],
    [["renew-audit-log", "--config", "CONFIG"], /^Required option '--reason <text>' not specified\n/],
    [["renew-audit-log", "--config", "CONFIG", "--reason", "a\nb"], /^--reason takes one line/],
    [["dance", "--config", "CONFIG"], /^Unknown command 'dance'/],
    [["serve", "--config", "CONFIG", "--prot", "1"], /^Unknown option '--prot'[\s\S]*--help shows/],
    [["join-token", "--config", "CONFIG", "--name", "Web!", "--address", "::1"], /--name: /],
    [["join-token", "--config", "CONFIG", "--name", "web", "--address", "a b"], /--address: /],
    [["join-token", "--config", "CONFIG", "--name", "web", "--address", "::1", "--port", "x"], /--port: /],
    [
      ["join-token", "--config", "CONFIG", "--name", "web", "--address", "::1", "--label", "x"],
      /--label x is not KEY=VALUE/,
    ],
  ];
  for (const [args, expected] of wrong) {
    it(`answers "${args.join(" ")}" with one sentence and status 2`, async () => {
      const { status, stdout, stderr } = await run(...args.map((arg) => (arg === "CONFIG" ? config : arg)));
      assert.equal(status, 2);
      assert.match(stderr, expected);
      assert.equal(stdout, "");
      assert.ok(!stderr.includes("    at "));
    });
  }

  it("explains itself and each command, with an example to type", async () => {
    const { status, stdout } = await run("--help");
    assert.equal(status, 0);
    assert.match(stdout, /serve [\s\S]*join-token [\s\S]*DATABASE_URL[\s\S]*Exit codes:/);
    const commands = [...stdout.matchAll(/^ {2}([a-z]+(?:-[a-z]+)*) \[?options\]?/gm)].map(([, name]) =>
      String(name),
    );
    assert.deepEqual([...commands].sort(), [
      "backup",
      "bootstrap-token",
      "check-config",
      "encrypt-keys",
      "join-token",
      "renew-audit-log",
      "renew-grant-key",
      "restore",
      "rotate-key",
      "serve",
      "setup",
    ]);
    for (const command of commands) {
      const { status: helped, stdout: help } = await here([command, "--help"]);
      assert.equal(helped, 0);
      assert.match(
        help,
        new RegExp(
          `^Usage: node \\S+ ${command} [\\s\\S]*Examples:\n.*node control-plane/src/main\\.ts ${command} `,
        ),
      );
    }
  });

  it("encrypt-keys says where there is nothing to encrypt", async () => {
    const passphrase = join(directory, "passphrase");
    writeFileSync(passphrase, "four words of some length\n");
    const encrypt = () =>
      here(["encrypt-keys", "--config", config], { SALLYPORT_KEYS_PASSPHRASE_FILE: passphrase });
    const none = await encrypt();
    assert.equal(none.status, 2);
    assert.match(none.stderr, /^There are no key files in .*: check `dataDirectory`.*\n$/);
    assert.equal((await here(["rotate-key", "--config", config, "--status"])).status, 0);
    assert.equal((await encrypt()).status, 0);
    const again = await encrypt();
    assert.equal(again.status, 0);
    assert.match(again.stderr, /^Nothing to do: every key file in .* is encrypted\.\n$/);
  });
});
