import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { call, signIn } from "../control-plane/support/client.ts";
import { startTestControlPlane, type TestControlPlane } from "../control-plane/support/control-plane.ts";
import { type Finished, Machine } from "./fixtures/sallyport.ts";

const DB_WORK = `
vendor: vendor
members: [dana@vendor.test]
hosts: { labels: { env: production } }
accounts: [deploy]
hours: { timeZone: Europe/Berlin, windows: [{ days: [mon], from: "08:00", to: "18:00" }] }
start: 2026-01-01
end: 2089-01-01
contact: sec@acme.test
`;

describe("sallyport engagement, member, apply and diff", () => {
  let plane: TestControlPlane;
  let admin: Machine;
  const run = (...args: string[]) => admin.run(...args);
  const done = async (...args: string[]) => {
    const result = await run(...args);
    assert.equal(result.status, 0, result.stderr);
    return result.stdout;
  };
  const withInput = (input: string, ...args: string[]): Promise<Finished> =>
    admin.spawn(process.execPath, [join(import.meta.dirname, "../../../client/src/main.ts"), ...args], input)
      .finished;
  const file = (name: string, text: string) => {
    const path = join(admin.directory, name);
    writeFileSync(path, text);
    return path;
  };
  /** An editor that does what `script` says to the file `$1`, and keeps what it was shown. */
  const editor = (script: string) => {
    const path = file(
      "editor.sh",
      `cat "$1" >> "${join(admin.directory, "shown")}"\nstat -c %a "$1" "$(dirname "$1")" > "${join(admin.directory, "modes")}"\n${script}\n`,
    );
    admin.env.EDITOR = `sh '${path}'`;
  };
  const shown = () => readFileSync(join(admin.directory, "shown"), "utf8");

  before(async () => {
    plane = await startTestControlPlane();
    admin = new Machine();
    const { apiToken, apiTokenExpiresAt, me } = await signIn(plane.url, plane.idp.issuer, "sam");
    mkdirSync(admin.home, { mode: 0o700 });
    const state = {
      v: 1,
      server: plane.url,
      apiToken,
      apiTokenExpiresAt,
      certificate: null,
      me,
      formerHosts: [],
      hostCaKeys: [],
    };
    writeFileSync(join(admin.home, "sign-in.json"), JSON.stringify(state), { mode: 0o600 });
  });
  after(async () => {
    admin.remove();
    await plane.close();
  });
  beforeEach(() => writeFileSync(join(admin.directory, "shown"), ""));

  it("creates by options, edits, extends, ends, and tells the history", async () => {
    const created = await done(
      ...["engagement", "create", "acme-db", "--vendor", "vendor", "--member", "Dana@vendor.test"],
      ...["--host", "db-1", "--account", "deploy", "--start", "2026-01-01", "--end", "2089-01-01"],
      ...["--contact", "sec@acme.test", "--mfa", "phishing-resistant", "--reason", "ticket 1"],
    );
    assert.equal(created, "Engagement acme-db created (version 1).\n");
    const edited = await done(
      "engagement",
      "edit",
      "acme-db",
      "--add-member",
      "eve@vendor.test",
      "--reason",
      "two now",
    );
    assert.equal(edited, "Engagement acme-db changed (version 2).\n  members:\n    + eve@vendor.test\n");
    assert.match(await done("engagement", "edit", "acme-db", "--account", "deploy"), /was so already/);
    await done("engagement", "extend", "acme-db", "--until", "2089-02-01");
    await done("engagement", "end", "acme-db", "--reason", "done");
    const late = await run("engagement", "edit", "acme-db", "--account", "x");
    assert.equal(late.status, 1);
    assert.match(
      late.stderr,
      /^sallyport: The engagement acme-db was ended on .*; make a new one under another name\.\n$/,
    );
    const history = await done("engagement", "history", "acme-db");
    assert.match(history, /^4 {2}.* sec@acme\.test: done\n {3}ended:\n {5}\+ \{"at":/);
    assert.match(history, /^2 {2}.* sec@acme\.test: two now\n {3}members:\n {5}\+ eve@vendor\.test\n1 {2}/m);
    const versions = JSON.parse(await done("engagement", "history", "acme-db", "--json"));
    assert.deepEqual(
      versions.map(({ version }: { version: number }) => version),
      [4, 3, 2, 1],
    );
    assert.equal(versions[0].engagement.mfa.level, "phishing-resistant");
  });

  it("says what is missing or wrong before anything is sent", async () => {
    const missing = await run("engagement", "create", "x", "--vendor", "vendor");
    assert.equal(missing.status, 2);
    assert.match(missing.stderr, /^sallyport: hosts is missing; see --help\.\n$/);
    const wrong = await withInput(`${DB_WORK}acounts: [x]\n`, "engagement", "create", "piped", "-f", "-");
    assert.equal(wrong.status, 2);
    assert.equal(wrong.stderr, 'sallyport: stdin:10:1: unknown key "acounts"; did you mean "accounts"?\n');
  });

  it("creates and edits from YAML, where all of it counts", async () => {
    const path = file("db.yaml", `name: db-work${DB_WORK}`);
    assert.match(await done("engagement", "create", "-f", path), /db-work created/);
    const changed = DB_WORK.replace("{ env: production }", "{ tier: web }").replace(/^hours.*\n/m, "");
    const result = await withInput(changed, "engagement", "edit", "db-work", "-f", "-", "--json");
    assert.equal(result.status, 0, result.stderr);
    const { version, changes } = JSON.parse(result.stdout);
    assert.deepEqual(
      [version, changes.map(({ field }: { field: string }) => field)],
      [2, ["hosts.labels.env", "hosts.labels.tier", "hours"]],
    );
  });

  it("creates and shows engagements of commands and files, and tells of rules one by one", async () => {
    const text = `${DB_WORK}
mode: commands
commands:
  rules:
    - { program: systemctl, arguments: [restart, { oneOf: [nginx, redis] }], description: Restart it }
    - { program: df, flags: [-h] }
files: { directories: [{ path: /srv/in, access: write, maxFileSize: 1000 }] }
`;
    await done("engagement", "create", "few", "-f", file("few.yaml", text));
    const show = await done("engagement", "show", "few");
    assert.match(
      show,
      /^Mode {8}commands: only these\n {12}systemctl restart nginx\|redis {2}\(Restart it\)\n {12}df \[-h\]$/m,
    );
    assert.match(show, /^Files {7}put into \/srv\/in \(files of at most 1000 bytes\); by SFTP/m);
    assert.deepEqual(JSON.parse(await done("engagement", "show", "few", "--json")).mode, "commands");
    const other = file("few.yaml", text.replace("program: df", "program: du"));
    const edited = await done("engagement", "edit", "few", "-f", other);
    assert.match(edited, /^ {2}commands\.rules:\n {4}- .*"df".*\n {4}\+ .*"du"/m);
    assert.doesNotMatch(edited, /systemctl/);
    editor(`sed -i 's/program: du/program: id/' "$1"`);
    assert.match(await done("engagement", "edit", "few"), /"id"/);
    assert.match(
      shown(),
      /^mode: commands\ncommands:\n {2}rules:\n {4}- description: Restart it\n {6}program: systemctl/m,
    );
    assert.match(
      (await run("engagement", "create", "less", "-f", file("x.yaml", `${DB_WORK}\nmode: files\n`))).stderr,
      /mode: files needs `files`/,
    );
  });

  it("edits in an editor: by a file that only the user reads, which opens again with the mistake in it", async () => {
    await done("engagement", "create", "in-editor", "-f", file("e.yaml", DB_WORK));
    editor(
      'if grep -q "unknown key" "$1"; then sed -i "s/acounts/accounts/; s/deploy/app/" "$1"; else sed -i "s/^accounts/acounts/" "$1"; fi',
    );
    assert.match(
      await done("engagement", "edit", "in-editor"),
      /changed \(version 2\)\.\n {2}accounts:\n {4}- deploy\n {4}\+ app\n/,
    );
    assert.match(shown(), /^#\| Engagement in-editor, edited from version 1\..*\n/);
    assert.match(shown(), /^#\| engagement\.yaml:\d+:1: unknown key "acounts"; did you mean "accounts"\?\n/m);
    assert.equal(readFileSync(join(admin.directory, "modes"), "utf8"), "600\n700\n");
    assert.deepEqual(
      readdirSync(admin.home).filter((name) => name.startsWith("edit-")),
      [],
    );
    assert.ok(statSync(admin.home).isDirectory());
    editor("true");
    assert.equal((await run("engagement", "edit", "in-editor")).stderr, "Nothing was changed.\n");
    editor("exit 3");
    assert.equal((await run("engagement", "edit", "in-editor")).status, 2);
    editor(': > "$1"');
    assert.equal((await run("engagement", "edit", "in-editor")).stderr, "Nothing was changed.\n");
  });

  it("refuses an edit when somebody else was quicker, and shows it in the editor", async () => {
    await done("engagement", "create", "quick", "-f", file("q.yaml", DB_WORK));
    const other = `"${process.execPath}" "${join(import.meta.dirname, "../../../client/src/main.ts")}"`;
    editor(
      `if grep -q "by now" "$1"; then exit 1; fi; sed -i "s/deploy/app/" "$1"; ${other} engagement edit quick --contact new --reason theirs >/dev/null`,
    );
    const result = await run("engagement", "edit", "quick");
    assert.equal(result.status, 2);
    assert.match(shown(), /^#\| The engagement quick has version 2 by now/m);
    assert.match(
      shown(),
      /^#\| Below is version 2 with your changes on it\..*\n#\| version 2 by sec@acme\.test: theirs$/m,
    );
    assert.match(shown(), /^#\| {3}contact:\n#\| {5}- sec@acme\.test\n#\| {5}\+ new$/m);
    assert.equal(JSON.parse(await done("engagement", "history", "quick", "--json")).length, 2);
    const meanwhile = `if ! grep -q "by now" "$1"; then sed -i "s/deploy/app/" "$1"; ${other} engagement edit quick --contact CONTACT >/dev/null; fi`;
    editor(meanwhile.replace("CONTACT", "newer"));
    assert.equal((await run("engagement", "edit", "quick")).stderr, "Nothing was changed.\n");
    editor(`${meanwhile.replace("CONTACT", "newest")}; sed -i "/^#| Delete this line/d" "$1"`);
    assert.match(await done("engagement", "edit", "quick"), /changed \(version 5\)\.\n {2}accounts:\n/);
    const [{ engagement }] = JSON.parse(await done("engagement", "history", "quick", "--json"));
    assert.deepEqual([engagement.accounts, engagement.contact], [["app"], "newest"]);
  });

  it("opens no editor that nobody named where there is no terminal", async () => {
    await done("engagement", "create", "piped", "-f", file("p.yaml", DB_WORK));
    admin.env.EDITOR = undefined;
    const { status, stderr } = await run("engagement", "edit", "piped");
    assert.equal(status, 2);
    assert.match(stderr, /^sallyport: There is no terminal to edit in\. Give all fields with --file FILE/);
  });

  it("applies a file, tells the difference before and after, and finds mistakes at their place", async () => {
    const engagement = DB_WORK.trim().replaceAll("\n", "\n    ");
    const text = `version: 1\nmembers:\n  - { name: Mia, email: mia@vendor.test, vendor: vendor }\nengagements:\n  - name: by-file\n    ${engagement}\n`;
    const path = file("policy.yaml", text);
    const before = await run("diff", "-f", path);
    assert.equal(before.status, 8, before.stderr);
    assert.equal(
      before.stdout,
      "+ member mia@vendor.test would be added\n+ engagement by-file would be added\n" +
        "members: 1 added, 0 changed, 0 unchanged; engagements: 1 added, 0 changed, 0 unchanged.\n",
    );
    assert.match(await done("apply", "-f", path, "--dry-run"), /would be added/);
    assert.match(await done("apply", "-f", path, "--reason", "git"), /^\+ engagement by-file added$/m);
    assert.match(
      await done("diff", "-f", path),
      /^members: 0 added, 0 changed, 1 unchanged; engagements: 0 .* 1 unchanged\.\n$/,
    );
    assert.match(await done("apply", "-f", path), /0 added, 0 changed/);
    const changed = await withInput(text.replace("[deploy]", "[deploy, app]"), "diff", "-f", "-");
    assert.match(changed.stdout, /^~ engagement by-file would change\n {4}accounts:\n {6}\+ app\n/);
    const json = await withInput(text.replace("[deploy]", "[deploy, app]"), "diff", "-f", "-", "--json");
    assert.equal(JSON.parse(json.stdout).engagements.changed[0].name, "by-file");

    // Found here, and nothing is asked of the control plane.
    const unknown = await run("apply", "-f", file("bad.yaml", `${text}    acounts: [x]\n    memers: []\n`));
    assert.equal(unknown.status, 2);
    assert.match(
      unknown.stderr,
      /bad\.yaml:14:5: unknown key "engagements\.0\.acounts"; did you mean "accounts"\?\n.*bad\.yaml:15:5: unknown key "engagements\.0\.memers"; did you mean "members"\?\n$/,
    );
    // Found only there.
    const stranger = await run("apply", "-f", file("stranger.yaml", text.replace("[dana@", "[nobody@")));
    assert.equal(stranger.status, 2);
    assert.match(
      stranger.stderr,
      /stranger\.yaml:7:15: nobody@vendor\.test is no member; add it under "members"\n$/,
    );
    assert.equal((await run("apply", "-f", "/nowhere")).status, 2);
  });

  it("approves the version that it shows, and says which approvals still hold after a withdrawal", async () => {
    const text = DB_WORK.replace(/^hours.*\n/m, "approval: { rule: login }\n");
    await done("engagement", "create", "asked", "-f", file("asked.yaml", text));
    await done("member", "invite", "dana@vendor.test", "--name", "Dana", "--vendor", "vendor");
    const { apiToken: token } = await signIn(plane.url, plane.idp.issuer, "dana");
    const ask = async () => {
      const body = { engagement: "asked", reason: "disk is full" };
      return ((await call(plane.url, "POST", "/approvals", { token, body })).body as { id: string }).id;
    };
    const first = await ask();
    assert.match(await done("approvals", "show", first), /^Engagement {2}asked \(version 1\)$/m);
    await done("engagement", "edit", "asked", "--account", "root");
    const stale = await run("approvals", "approve", first, "--if-version", "1");
    assert.equal(stale.status, 1);
    assert.match(stale.stderr, /version 2 by now, and the answer is for version 1.*engagement show asked/);
    const yes = await run("approvals", "approve", first);
    assert.equal(
      yes.stderr.trim(),
      "dana@vendor.test by asked, version 2: root on no host yet, at most until 2089-01-01 00:00; asked because: disk is full",
    );
    assert.equal(yes.status, 0);
    const second = await ask();
    await done("approvals", "approve", second, "--if-version", "2", "--json");
    assert.match(
      await done("approvals", "withdraw", first),
      new RegExp(
        `^STILL APPROVED: dana@vendor\\.test until .* by another request\\. To take that back too: sallyport approvals withdraw ${second}$`,
        "m",
      ),
    );
    const json = JSON.parse(await done("approvals", "withdraw", second, "--json"));
    assert.deepEqual([json.request.state, json.stillApproved], ["withdrawn", []]);
  });

  it("invites, lists and withdraws members", async () => {
    const invited = await done(
      "member",
      "invite",
      "--reason",
      "ticket 9",
      "new@vendor.test",
      "--name",
      "Nora New",
      "--vendor",
      "vendor",
    );
    assert.match(invited, /^new@vendor\.test is invited until .*\n\n {2}sallyport login --server http/);
    assert.match(
      await done("member", "list"),
      /^new@vendor\.test +Nora New +vendor +new-vendor +invited +in 1[34] days/m,
    );
    assert.equal(
      await done("member", "withdraw", "new@vendor.test", "--reason", "not needed"),
      "The invitation of new@vendor.test is withdrawn.\n",
    );
    const list = JSON.parse(await done("member", "list", "--json"));
    assert.equal(list.find(({ email }: { email: string }) => email === "new@vendor.test").state, "withdrawn");
    assert.equal((await run("member", "withdraw", "new@vendor.test")).status, 1);
    const nobody = await run("member", "withdraw", "nobody@vendor.test");
    assert.match(nobody.stderr, /There is no member nobody@vendor\.test\. .*: sallyport member list\n$/);
    const nothing = await run("engagement", "extend", "nothing", "--until", "2089-02-01");
    assert.match(nothing.stderr, /There is no engagement nothing .*: sallyport engagement list\n$/);
    const log = await done("audit", "export");
    assert.match(
      log,
      /"type":"member-invited".*"reason":"ticket 9"|"reason":"ticket 9".*"type":"member-invited"/,
    );
    assert.match(log, /"reason":"not needed"/);
  });
});
