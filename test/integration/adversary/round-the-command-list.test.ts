import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { printable } from "@sallyport/core/terminal-text.ts";
import { Multiplexed } from "../../fixtures/multiplexed.ts";
import { Prompt } from "../../fixtures/prompt.ts";
import { sessionsOf, sessionWhere } from "../../fixtures/sessions.ts";
import { type Person, startWorld, type World } from "../../fixtures/world.ts";

const UNDER = { under: "/var/app" };
const RULES = [
  { program: "echo", arguments: [{ repeated: { matches: "[a-z0-9 ]+" }, to: 5 }] },
  { program: "touch", arguments: ["test"] },
  { program: "ls", flags: ["-l", "-a"], arguments: [{ optional: [UNDER] }] },
  { program: "cat", arguments: [{ repeated: UNDER, from: 1, to: 3 }] },
  { program: "find", flags: [{ flag: "-name", value: { matches: "[a-z.*]+" } }], arguments: [UNDER] },
  { program: "tar", arguments: ["-tf", UNDER] },
  {
    program: "rsync",
    flags: ["-a"],
    arguments: [UNDER, { under: "/var/out" }],
    confine: { write: ["/var/out"] },
  },
  { program: "git", arguments: ["-C", { under: "/var/repo" }, { oneOf: ["status", "log"] }] },
  { program: "less", arguments: [UNDER] },
  { program: "vim", arguments: [UNDER], confine: { write: ["/var/app"] } },
  { program: "tee", arguments: [UNDER], confine: { write: ["/var/app"] } },
];

interface Attempt {
  what: string;
  line: string;
  /** What it shows where a shell runs it: the attempt can succeed. Left out where no shell would take it either. */
  succeeds?: RegExp;
  /** What the refusal says. */
  says: RegExp;
}

const attempt = (what: string, line: string, succeeds: RegExp | null, says: RegExp): Attempt => ({
  ...{ what, line, says },
  ...(succeeds === null ? {} : { succeeds }),
});

const RAN = /^deploy$/m;
const SECRET = /the-secret/;
const NOT_ALLOWED = /Refused: /;

const SYNTAX: Attempt[] = [
  attempt("&& behind an allowed command", "ls /var/app && id -un", RAN, /`&&`/),
  attempt("&& without blanks", "ls /var/app&&id -un", RAN, /`&&`/),
  attempt("|| behind one that fails", "cat /var/app/none || id -un", RAN, /`\|\|`/),
  attempt("a semicolon", "ls /var/app; id -un", RAN, /`;`/),
  attempt("the background", "ls /var/app & id -un", RAN, /`&`/),
  attempt("a pipe to another program", "ls /var/app | xargs -n 1 sh -c 'id -un'", RAN, NOT_ALLOWED),
  attempt("a pipe of both outputs", "ls /var/app |& sed 's/.*/deploy/'", RAN, /`\|&`/),
  attempt("backticks", "echo `id -un`", RAN, /` runs another command/),
  attempt("backticks in double quotes", 'echo "`id -un`"', RAN, /` runs another command/),
  attempt("$() alone", "$(echo id) -un", RAN, /`\$\(`/),
  attempt("$() as an argument", "echo $(id -un)", RAN, /`\$\(`/),
  attempt("$() in double quotes", 'echo "$(id -un)"', RAN, /`\$\(`/),
  attempt("$() within a word", "echo de$(echo plo)y", RAN, /`\$\(`/),
  attempt("a variable", "echo $USER", RAN, /`\$`/),
  // biome-ignore lint/suspicious/noTemplateCurlyInString: for a shell
  attempt("a variable in braces", "echo ${USER}", RAN, /`\$\{`/),
  attempt("an assignment in front", "LANG=C id -un", RAN, /`=`/),
  attempt("$'…' with a hidden character", "$'\\x69d' -un", RAN, /`\$'`/),
  attempt("process substitution", "cat <(id -un)", RAN, /`<\(`/),
  attempt("a here-string", "cat <<< deploy", RAN, /`<<`/),
  attempt("a redirection to a file", "echo deploy > /var/app/owned; cat /var/app/owned", RAN, /`>`/),
  attempt("a redirection from a file", "cat < /etc/secret", SECRET, /`<`/),
  attempt("a subshell", "(id -un)", RAN, /`\(`/),
  attempt("a group", "{ id -un; }", RAN, /`\{`/),
  attempt("a loop", "for x in 1; do id -un; done", RAN, /word of shell scripts/),
  attempt("a function", "ls() { id -un; }; ls", RAN, /`\(`/),
  attempt("a pattern of names", "cat /etc/secre*", SECRET, /`\*`/),
  attempt("braces that make words", "cat /etc/{secret,hostname}", SECRET, /`\{`/),
  attempt("a tilde", "cat ~/secret", SECRET, /`~`/),
  attempt("negation", "! id -un", RAN, /`!`/),
  attempt("a comment that hides the rest", "id -un #ls", RAN, /Refused: /),
  attempt("fullwidth punctuation", "ls /var/app； id -un", null, NOT_ALLOWED),
  attempt("a no-break space", "ls\u00a0/var/app", null, NOT_ALLOWED),
  attempt("letters that look alike", "\u0441\u0430t /var/app/log", null, NOT_ALLOWED),
  attempt("a change of direction", "ls /var/app/\u202egol", null, /direction/),
  attempt("quotes left open", "echo 'a", null, /counterpart/),
  attempt("a backslash at the end", "echo a\\", null, /Refused: /),
  attempt("a line far too long", `echo ${"a".repeat(20_000)}`, /a{20000}/, /longer than/),
  attempt("too many words", `echo ${"a ".repeat(1_900)}`, /(a ){1899}a/, /Refused: /),
];

const ARGUMENTS: Attempt[] = [
  attempt("one argument more", "touch test /tmp/x", null, NOT_ALLOWED),
  attempt("an allowed argument, then a command", "touch test ls", null, NOT_ALLOWED),
  attempt("an argument that begins like an allowed one", "touch test2", null, NOT_ALLOWED),
  attempt("no argument where one belongs", "touch", null, NOT_ALLOWED),
  attempt("a line end in an argument", "touch 'test\nx'", null, NOT_ALLOWED),
  attempt("an argument that is empty", "touch ''", null, NOT_ALLOWED),
  attempt("find -exec", "find /var/app -maxdepth 0 -exec id -un \\;", RAN, NOT_ALLOWED),
  attempt("find -exec, in pieces", `"find" '/var/app' -maxdepth 0 -ex''e"c" id -un ';'`, RAN, NOT_ALLOWED),
  attempt("find -execdir", "find /var/app -maxdepth 0 -execdir id -un \\;", RAN, NOT_ALLOWED),
  attempt("find -fprintf", "find /var/app -maxdepth 0 -fprintf /dev/stdout deploy\\\\n", RAN, NOT_ALLOWED),
  attempt(
    "tar --checkpoint-action",
    "tar -cf /dev/null --checkpoint=1 '--checkpoint-action=exec=id -un >&2' /var/app/log",
    RAN,
    NOT_ALLOWED,
  ),
  attempt("tar --to-command", "tar -xf /var/app/a.tar '--to-command=id -un >&2'", RAN, NOT_ALLOWED),
  attempt("tar -I", "tar -tf /var/app/a.tar -I 'sh -c \"id -un >&2\"'", RAN, NOT_ALLOWED),
  attempt("rsync -e", "rsync -a -e 'sh -c \"id -un >&2\"' /var/app/log x:/var/out", RAN, NOT_ALLOWED),
  attempt(
    "rsync --rsh in one word",
    "rsync -a '--rsh=sh -c \"id -un >&2\"' x:/var/app/log /var/out",
    RAN,
    NOT_ALLOWED,
  ),
  attempt(
    "git -c alias",
    "git -C /var/repo -c 'alias.status=!id -un' -c 'alias.x=!id -un' x",
    RAN,
    NOT_ALLOWED,
  ),
  attempt("git --exec-path", "git -C /var/repo --exec-path=/home/deploy/bin attack", RAN, NOT_ALLOWED),
  attempt("vim -c", "vim -es -c '!id -un' -c 'qa!' /var/app/log", RAN, NOT_ALLOWED),
];

const PROGRAMS: Attempt[] = [
  attempt("a shell", "sh -c 'id -un'", RAN, /There is no shell|runs a shell/),
  attempt("a shell by its path", "/bin/sh -c 'id -un'", RAN, /There is no shell|runs a shell/),
  attempt(
    "a shell by way of an allowed program's directory",
    "/usr/bin/../bin/sh -c 'id -un'",
    RAN,
    NOT_ALLOWED,
  ),
  attempt("a shell by way of /proc", "/proc/self/root/bin/sh -c 'id -un'", RAN, NOT_ALLOWED),
  attempt("/proc/self/exe", "/proc/self/exe -c 'id -un'", RAN, NOT_ALLOWED),
  attempt("the dynamic loader", "/lib64/ld-linux-x86-64.so.2 /bin/sh -c 'id -un'", RAN, NOT_ALLOWED),
  attempt(
    "the dynamic loader, before an allowed program",
    "/lib64/ld-linux-x86-64.so.2 /bin/ls /var/app",
    /log/,
    NOT_ALLOWED,
  ),
  attempt("env", "env id -un", RAN, NOT_ALLOWED),
  attempt("an own program of an allowed one's name", "/home/deploy/bin/ls", RAN, NOT_ALLOWED),
  attempt("the same, relative", "bin/ls", RAN, NOT_ALLOWED),
  attempt("an own program in an allowed directory", "/var/app/ls", RAN, NOT_ALLOWED),
  attempt("a word of the shell", "eval id -un", RAN, NOT_ALLOWED),
  attempt("another", "exec id -un", RAN, NOT_ALLOWED),
  attempt("a file of commands", ". /home/deploy/bin/ls", RAN, NOT_ALLOWED),
  attempt("a name with a path in it", "ls/../id -un", null, NOT_ALLOWED),
  attempt("capitals", "LS /var/app", null, NOT_ALLOWED),
  attempt("sudo", "sudo -s", null, NOT_ALLOWED),
  attempt("nothing, quoted", "'' /var/app", null, NOT_ALLOWED),
];

const PATHS: Attempt[] = [
  attempt("another directory", "cat /etc/secret", SECRET, NOT_ALLOWED),
  attempt("..", "cat /var/app/../../etc/secret", SECRET, NOT_ALLOWED),
  attempt(".. with slashes to spare", "cat /var/app//./..//../etc/secret", SECRET, NOT_ALLOWED),
  attempt(".., relative", "cat ../../etc/secret", SECRET, NOT_ALLOWED),
  attempt("a directory whose name begins alike", "cat /var/app-private/secret", SECRET, NOT_ALLOWED),
  attempt("a symbolic link to a file outside", "cat /var/app/link", SECRET, NOT_ALLOWED),
  attempt("a symbolic link to a directory outside", "cat /var/app/directory/secret", SECRET, NOT_ALLOWED),
  attempt("a chain of symbolic links", "cat /var/app/first", SECRET, NOT_ALLOWED),
  attempt("/proc/self/root", "cat /proc/self/root/etc/secret", SECRET, NOT_ALLOWED),
  attempt("/proc/self/cwd", "cat /proc/self/cwd/secret", SECRET, NOT_ALLOWED),
  attempt("an allowed file, then another", "cat /var/app/log /etc/secret", SECRET, NOT_ALLOWED),
  attempt("writing to .bashrc", "tee /home/deploy/.bashrc", RAN, NOT_ALLOWED),
  attempt("writing to authorized_keys", "tee -a /home/deploy/.ssh/authorized_keys", RAN, NOT_ALLOWED),
  attempt("writing through a symbolic link", "tee /var/app/bashrc", RAN, NOT_ALLOWED),
  attempt("reading over a symbolic link to /", "cat /var/app/root/etc/secret", SECRET, NOT_ALLOWED),
];

const ALL = [...SYNTAX, ...ARGUMENTS, ...PROGRAMS, ...PATHS];

/**
 * ADVERSARY: every way round an allowlist, as `ssh host 'command'` and at the prompt, beside the same line in an engagement
 * with mode: shell, where it does what the attacker wants.
 */
/** What is sent as input with every refused line: nothing may hold it afterwards. No file has it by chance, this one neither. */
const MARK = `from-alice-${randomUUID()}`;

describe("round the command list", () => {
  let world: World;
  let alice: Person;
  let limited: Multiplexed;
  let shell: Multiplexed;
  before(async () => {
    world = await startWorld({
      engagements: [
        { name: "narrow", members: ["alice"], mode: "commands", commands: { rules: RULES } },
        { name: "wide", members: ["carol"] },
      ],
      sshdConfig: "PermitUserEnvironment yes\nAcceptEnv *",
    });
    await world.host.run(["sh", "-ec", SURROUNDINGS]);
    alice = await world.signedIn("alice");
    limited = new Multiplexed(alice);
    shell = new Multiplexed(await world.signedIn("carol"));
    assert.match((await limited.ssh("cat /var/app/log")).stdout.toString(), /^a line$/m);
  });
  after(async () => {
    await Promise.all([limited?.close(), shell?.close()]);
    await world?.close();
  });

  describe("over ssh", () => {
    for (const { what, line, succeeds, says } of ALL) {
      it(`is refused: ${what}`, async () => {
        if (succeeds) {
          const { stdout, stderr } = await shell.ssh(line, "deploy\n");
          assert.match(stdout.toString() + stderr, succeeds, "with a shell it works");
        }
        const { status, stdout, stderr } = await limited.ssh(line, `${MARK}\n`);
        assert.equal(stdout.toString(), "");
        assert.match(stderr, says);
        assert.match(stderr, /^sallyport: Refused: /);
        assert.match(stderr, /^Engagement narrow allows/m);
        assert.match(stderr, /^Ask for more: dana@company\.test$/m);
        assert.equal(status, 126);
      });
    }

    it("has several lines refused as one", async () => {
      const { status, stdout, stderr } = await limited.ssh("echo a\nid -un");
      assert.deepEqual([status, stdout.toString()], [126, ""]);
      assert.match(stderr, /A line break ends a command/);
    });

    it("has written nothing", async () => {
      const { stdout } = await world.host.run(["grep", "-rl", MARK, "/home/deploy", "/var/app", "/tmp"]);
      assert.equal(stdout, "");
    });

    it("is all in recordings that end as refused, and in the audit log", async () => {
      const sessions = await sessionsOf(alice);
      const audited = await refusals(world);
      for (const { what, line } of ALL.filter(({ line }) => line.length < 4096)) {
        const session = sessions.find((one) => one.command === line);
        assert.equal(session?.endReason, "refused", what);
        assert.ok(
          audited.some((detail) => detail.startsWith(printable(line, 200).slice(0, 200))),
          what,
        );
      }
      const [{ id }] = [await sessionWhere(alice, (one) => one.command === "ls /var/app && id -un")];
      const text = (await alice.sallyport(["export", id, "--format", "text"])).stdout.toString();
      assert.match(text, /`&&` joins two commands/);
    });
  });

  describe("at the prompt", () => {
    let prompt: Prompt;
    before(async () => {
      prompt = await Prompt.open(alice);
    });
    after(() => prompt?.leave());

    for (const { what, line, says } of ALL.filter(({ line }) => !line.includes("\n"))) {
      it(`is refused: ${what}`, async () => {
        const shown = await prompt.line(line);
        assert.match(shown, says);
        assert.match(shown, /^sallyport: Refused: /m);
        assert.match(shown, /Ask for more: dana@company\.test/);
        // What it would show stands on a line of its own, not in the line as it was typed.
        assert.doesNotMatch(shown, /^(deploy|the-secret)\r?$/m);
      });
    }

    it("takes several lines one by one, each for itself", async () => {
      const since = prompt.terminal.bytes.length;
      const shown = await prompt.line("echo a\nid -un\recho b");
      const all = await prompt.terminal.shows(/\nb\r\n[\s\S]*> /, since);
      assert.match(shown + all, /\na\r\n[\s\S]*`id` is not one of[\s\S]*\nb\r\n/);
      assert.doesNotMatch(all, /^deploy\r?$/m);
    });

    it("drops a NUL, and whatever else is no text, before the line is judged", async () => {
      assert.match(await prompt.line("ca\0t /var/app/log"), /^a line\r$/m);
      assert.match(await prompt.line("id\0ls /var/app"), /Refused/);
      assert.match(await prompt.line("ec\u001b[31mho\u009b a"), /^a\r$|Refused/m);
    });

    it("writes no file, and runs what is allowed as ever", async () => {
      const { stdout } = await world.host.run([
        "find",
        "/home/deploy",
        "/var/out",
        "-newer",
        "/var/app/a.tar",
        "-uid",
        "0",
      ]);
      assert.equal(stdout, "");
      assert.match(await prompt.line("cat /var/app/log | cat /var/app/log"), /^a line\r$/m);
      assert.match(await prompt.line("'ec'ho \"a b\""), /^a b\r$/m);
    });

    it("is all in the recording, with the refusals as events, and in the audit log", async () => {
      await prompt.leave();
      const session = await sessionWhere(alice, (one) => one.kind === "pty" && one.state === "ended");
      const text = (await alice.sallyport(["export", session.id, "--format", "text"])).stdout.toString();
      assert.match(text, /`&&` joins two commands/);
      const audited = await refusals(world);
      for (const { what, line } of ALL.filter(({ line }) => line.length < 4096 && !line.includes("\n")))
        assert.ok(
          audited.filter((detail) => detail.startsWith(printable(line, 200).slice(0, 200))).length >= 2,
          what,
        );
    });
  });
});

/** What `command-refused` events of the audit log tell of: the line, and why not. */
async function refusals(world: World): Promise<string[]> {
  const sam = await world.signedIn("sam");
  const lines = (await sam.sallyport(["audit", "export"])).stdout.toString().split("\n");
  return lines
    .filter((line) => line.includes('"command-refused"'))
    .map((line) => (JSON.parse(line) as { leaf: { data: { detail: string } } }).leaf.data.detail);
}

/** As root of the host: what the contractor, and somebody who once had a shell in that account, left in wait. */
const SURROUNDINGS = `
umask 022
echo the-secret > /etc/secret
mkdir -p /var/app /var/out /var/repo /var/app-private /home/deploy/bin /home/deploy/.ssh
echo the-secret > /var/app-private/secret
echo the-secret > /home/deploy/secret
echo 'a line' > /var/app/log
cp /var/app-private/secret /var/app-private/deploy
tar -cf /var/app/a.tar -C /var/app log
ln -s /etc/secret /var/app/link
ln -s /var/app-private /var/app/directory
ln -s second /var/app/first
ln -s link /var/app/second
ln -s /home/deploy/.bashrc /var/app/bashrc
ln -s / /var/app/root
printf '#!/bin/sh\\nid -un\\n' | tee /home/deploy/bin/ls /home/deploy/bin/git-attack > /var/app/ls
chmod 755 /home/deploy/bin/* /var/app/ls
git init -q /var/repo
chown -R deploy: /var/app /var/out /var/repo /home/deploy
`;
