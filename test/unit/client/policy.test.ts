import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sallyport } from "./in-process.ts";

const EXAMPLES = join(import.meta.dirname, "../../../docs/examples/policy");
const example = (name: string) => join(EXAMPLES, name);
const ALICE = ["--member", "alice@acme.example", "--host", "web-1", "--account", "acme-alice"];

describe("sallyport policy", () => {
  const directory = mkdtempSync(join(tmpdir(), "sallyport-policy-"));
  after(() => rmSync(directory, { recursive: true }));
  const file = (name: string, text: string) => {
    writeFileSync(join(directory, name), text);
    return join(directory, name);
  };

  describe("lint", () => {
    it("ends with 0 for nothing but notes, and with 8 for more", async () => {
      const logs = await sallyport("policy", "lint", example("logs.yaml"));
      assert.deepEqual(logs, {
        status: 0,
        stdout: "",
        stderr: "Nothing to remark.\n",
        all: "Nothing to remark.\n",
      });
      const notes = await sallyport("policy", "lint", example("services.yaml"));
      assert.deepEqual([notes.status, notes.stderr], [0, "1 note.\n"]);
      const careless = await sallyport("policy", "lint", example("careless.yaml"));
      assert.equal(careless.status, 8);
      assert.match(
        careless.stdout,
        /careless\.yaml:14:13: danger: vim starts other programs: .* \[starts-programs\]\n/,
      );
    });

    it("has JSON", async () => {
      const { status, stdout, stderr } = await sallyport(
        "policy",
        "lint",
        example("careless.yaml"),
        "--json",
      );
      assert.deepEqual([status, stderr], [8, ""]);
      const { findings } = JSON.parse(stdout);
      const { message, ...first } = findings[0];
      assert.match(message, /^vim starts/);
      assert.deepEqual(first, {
        file: example("careless.yaml"),
        line: 14,
        column: 13,
        severity: "danger",
        code: "starts-programs",
        path: "engagements.0.commands.rules.0.program",
      });
    });

    it("tells mistakes of every file with line and column, and what it finds in the others", async () => {
      const one = file("one.yaml", "version: 1\nengagments: []\n");
      const two = file("two.yaml", "version: 1\ncommands:\n  rules:\n    - { program: ../x }\n");
      const { status, stdout, stderr } = await sallyport(
        "policy",
        "lint",
        one,
        example("careless.yaml"),
        two,
      );
      assert.equal(status, 2);
      assert.match(stdout, /careless\.yaml:14:13/);
      assert.match(stderr, /one\.yaml:2:1: unknown key "engagments"; did you mean "engagements"\?/);
      assert.match(stderr, /two\.yaml:4:9: "commands\.rules\.0\.program" is wrong/);
    });

    it("knows a host's own policy by its keys", async () => {
      const good = await sallyport("policy", "lint", example("10-host.yaml"));
      assert.deepEqual([good.status, good.stdout], [0, ""]);
      const name = file("name.yaml", "version: 1\ncommands:\n  rules:\n    - { program: ls }\n");
      assert.match(
        (await sallyport("policy", "lint", name)).stdout,
        /name\.yaml:4:9: warning: ls is looked for/,
      );
      const unknown = file("unknown.yaml", "version: 1\nforwarding: none\nacounts: []\n");
      assert.match(
        (await sallyport("policy", "lint", unknown)).stderr,
        /3:1: unknown key "acounts"; did you mean "accounts"/,
      );
    });

    it("lets nothing of a file act on the terminal", async () => {
      const evil = file(
        "evil.yaml",
        'version: 1\ncommands:\n  rules:\n    - { program: ls, arguments: [{ oneOf: ["\u202ea", "\u202ea"] }] }\n',
      );
      const { all } = await sallyport("policy", "lint", evil);
      assert.ok(!all.includes("\u202e"), JSON.stringify(all));
    });
  });

  describe("test", () => {
    it("answers with 0 and the rule, or with 6 and what is allowed", async () => {
      const yes = await sallyport(
        "policy",
        "test",
        example("services.yaml"),
        ...ALICE,
        "--",
        "systemctl",
        "restart",
        "nginx",
      );
      assert.equal(yes.status, 0);
      assert.match(
        yes.stdout,
        /^allowed\n {2}engagement {2}acme-web \(.*services\.yaml:6:5\)\n {2}rule {8}systemctl \(.*:15:11\)\n/,
      );
      const no = await sallyport(
        "policy",
        "test",
        example("services.yaml"),
        ...ALICE,
        "--",
        "systemctl restart ssh",
      );
      assert.equal(no.status, 6);
      assert.match(no.stdout, /^refused: argument-not-allowed\n/);
      assert.match(no.stdout, /\n {2}allowed {5}systemctl restart nginx\n/);
    });

    it("shows shell syntax with a caret", async () => {
      const { stdout } = await sallyport(
        "policy",
        "test",
        example("services.yaml"),
        ...ALICE,
        "--",
        "id && id",
      );
      assert.match(stdout, /^refused: shell-syntax\n {2}id && id\n {5}\^/);
    });

    it("has JSON, labels, times and local policies", async () => {
      const release = [
        "policy",
        "test",
        example("release.yaml"),
        "--member",
        "alice@acme.example",
        "--host",
        "s",
      ];
      const more = [
        "--account",
        "deploy",
        "--json",
        "--at",
        "2026-12-01",
        "--label",
        "app=shop",
        "--",
        "/opt/shop/bin/release v1.2.3",
      ];
      const answer = await sallyport(...release, ...more);
      assert.deepEqual(answer.status, 0, answer.stderr);
      const { outcome, stages, at, until } = JSON.parse(answer.stdout);
      assert.deepEqual(
        [outcome, stages[0].rule, stages[0].timeLimit, until],
        ["allow", "release", 900, "2026-12-31T18:00:00Z"],
      );
      assert.match(`${at} ${stages[0].at}`, /release\.yaml:6:5 .*release\.yaml:15:11/);
      const local = ["--local", example("10-host.yaml"), "--", "tail -n 500 /var/log/nginx/access.log"];
      const refused = await sallyport("policy", "test", example("logs.yaml"), ...ALICE, ...local);
      assert.deepEqual(
        [refused.status, /by +the host's own policy/.test(refused.stdout)],
        [6, true],
        refused.all,
      );
    });

    const wrong: [string[], RegExp][] = [
      [["--at", "noon"], /--at takes a time/],
      [["--label", "x"], /--label takes KEY=VALUE/],
      [["--local", "/nonexistent"], /cannot be read/],
    ];
    for (const [options, says] of wrong)
      it(`ends with 2 for ${options.join(" ")}`, async () => {
        const { status, stderr } = await sallyport(
          "policy",
          "test",
          example("logs.yaml"),
          ...ALICE,
          ...options,
        );
        assert.equal(status, 2);
        assert.match(stderr, says);
      });
  });

  describe("explain", () => {
    it("says who may do what", async () => {
      const { status, stdout } = await sallyport("policy", "explain", example("services.yaml"));
      assert.equal(status, 0);
      assert.match(stdout, /who +Alice Acme <alice@acme\.example> of acme\n/);
      assert.match(
        stdout,
        /systemctl restart nginx {2}\(Restart the web server; as root by sudo, not confined, at most 1 minute\)/,
      );
    });

    it("picks a member and a host", async () => {
      const names = async (...options: string[]) => {
        const { stdout } = await sallyport("policy", "explain", example("sets.yaml"), "--json", ...options);
        return JSON.parse(stdout).map(({ engagement }: { engagement: string }) => engagement);
      };
      assert.deepEqual(await names(), ["acme-look", "globex-exchange"]);
      assert.deepEqual(await names("--member", "alice@acme.example"), ["acme-look"]);
      assert.deepEqual(await names("--host", "web-1"), ["globex-exchange"]);
      assert.deepEqual(await names("--host", "web-1", "--label", "env=production"), [
        "acme-look",
        "globex-exchange",
      ]);
      const nobody = await sallyport("policy", "explain", example("sets.yaml"), "--member", "x@example.com");
      assert.deepEqual([nobody.status, nobody.all], [0, "Nothing is granted there.\n"]);
    });

    it("says what a host's own policy takes away", async () => {
      const { stdout } = await sallyport("policy", "explain", example("10-host.yaml"));
      assert.match(stdout, /^local policy \(.*10-host\.yaml\)\n {2}what {3}of commands only these/);
      assert.match(
        stdout,
        /tail \[-n 1\.\.100\] \/var\/log\/nginx\/…\n {2}files {2}only put into \/srv\/exchange\/in/,
      );
    });
  });
});
