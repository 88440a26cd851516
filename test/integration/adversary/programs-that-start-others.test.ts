import assert from "node:assert/strict";
import { Multiplexed } from "../../fixtures/multiplexed.ts";
import { PROMPT, Prompt } from "../../fixtures/prompt.ts";
import { TerminalClient } from "../../fixtures/terminal.ts";
import { type Person, startWorld, type World } from "../../fixtures/world.ts";

/** Whatever follows: the worst that a policy can allow of a program. */
const OPEN = { arguments: [{ rest: true }] };
const GROFF = ["groff", "preconv", "tbl", "troff", "grotty", "less"].map((name) => `/usr/bin/${name}`);
const RULES = [
  { program: "less", ...OPEN },
  // With sshd's own SHELL, which is nologin, vim starts nothing by itself.
  { program: "vim", ...OPEN, confine: { write: ["/var/app"] }, environment: { SHELL: "/bin/sh" } },
  // What man shows on a terminal is formatted by nroff, a script of sh; with -T it is not.
  { program: "man", ...OPEN, confine: { execute: GROFF } },
  { program: "find", ...OPEN },
  { program: "tar", ...OPEN, confine: { write: ["/var/app"], execute: ["/usr/bin/gzip"] } },
  { program: "git", ...OPEN, confine: { write: ["/var/repo"], execute: ["/usr/bin/less"] } },
  { program: "awk", ...OPEN },
  { program: "python3", ...OPEN },
  ...[
    "env",
    "xargs",
    "nice",
    "timeout",
    "setsid",
    "stdbuf",
    "sed",
    "sort",
    "split",
    "rsync",
    "ssh",
    "perl",
  ].map((program) => ({ program, ...OPEN })),
];

/** What a shell makes of this, and nothing else does. */
const START = "echo started-$((40+2))";
const STARTED = /started-42/;
const LOADER = "/lib64/ld-linux-x86-64.so.2";

/** Lines whose program starts a shell, by itself, when it is allowed to. */
const LINES: [what: string, line: string][] = [
  ["vim -c '!…'", `vim -es -c '!${START}' -c 'qa!'`],
  ["vim's system()", `vim -es -c 'call writefile([system("${START}")], "/dev/stdout")' -c 'qa!'`],
  ["vim with another shell", `vim -es -c 'set shell=/bin/bash' -c '!${START}' -c 'qa!'`],
  [
    "vim's job_start()",
    `vim -es -c 'call job_start(["sh", "-c", "${START} >/dev/stdout"], {"out_io": "file", "out_name": "/dev/stdout"})' -c 'sleep 300m' -c 'qa!'`,
  ],
  ["find -exec", `find /var/app -maxdepth 0 -exec sh -c '${START}' \\;`],
  ["find -execdir", `find /var/app -maxdepth 0 -execdir /bin/sh -c '${START}' \\;`],
  [
    "find -exec with the dynamic loader",
    `find /var/app -maxdepth 0 -exec ${LOADER} /bin/sh -c '${START}' \\;`,
  ],
  [
    "find -exec with the dynamic loader by its own name",
    `find /var/app -maxdepth 0 -exec /usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 /usr/bin/dash -c '${START}' \\;`,
  ],
  [
    "tar --checkpoint-action",
    `tar -cf /dev/null --checkpoint=1 '--checkpoint-action=exec=${START} >&2' /var/app/log`,
  ],
  ["tar --to-command", `tar -xf /var/app/a.tar '--to-command=${START} >&2'`],
  ["tar -I", `tar -tf /var/app/a.tar -I 'sh -c "${START} >&2"'`],
  ["tar -F", `tar -cML 10 -f /var/app/b.tar -F '${START} >&2' /var/app/big`],
  ["git -c alias", `git -C /var/repo -c 'alias.x=!${START}' x`],
  ["git -c diff.external", `git -C /var/repo -c 'diff.external=${START};:' diff HEAD~2`],
  ["git -c core.sshCommand", `git -C /var/repo -c 'core.sshCommand=${START} >&2;:' fetch ssh://x/y`],
  ["git -c core.fsmonitor", `git -C /var/repo -c 'core.fsmonitor=${START} >&2;:' status`],
  [
    "git, a transport that is a program",
    `git -C /var/repo -c protocol.ext.allow=always fetch 'ext::sh -c ${START.replaceAll(" ", "% ")}>&2'`,
  ],
  ["git commit, its editor", `git -C /var/repo -c 'core.editor=${START} >&2;:' commit --allow-empty`],
  ["git, a hook of the repository", "git -C /var/repo commit --allow-empty -m x"],
  [
    "git, a filter of the repository",
    `git -C /var/repo -c 'filter.x.clean=${START} >&2;cat' add -f filtered`,
  ],
  ["git --exec-path", "git -C /var/repo --exec-path=/home/deploy/bin attack"],
  ["git grep -O", `git -C /var/repo grep '-Osh -c "${START}"' line`],
  ["awk's system()", `awk 'BEGIN { system("${START}") }'`],
  ["awk's getline", `awk 'BEGIN { "${START}" | getline x; print x }'`],
  ["awk's pipe", `awk 'BEGIN { print "${START}" | "sh" }'`],
  ["python's os.system()", `python3 -c 'import os; os.system("${START}")'`],
  ["python's subprocess", `python3 -c 'import subprocess; subprocess.run(["/bin/sh", "-c", "${START}"])'`],
  ["python's execv()", `python3 -c 'import os; os.execv("/bin/sh", ["sh", "-c", "${START}"])'`],
  [
    "python's posix_spawn()",
    `python3 -c 'import os; os.waitpid(os.posix_spawn("/bin/sh", ["sh", "-c", "${START}"], {}), 0)'`,
  ],
  [
    "python, execv() of an open file",
    `python3 -c 'import os; os.execve(os.open("/bin/sh", os.O_PATH), ["sh", "-c", "${START}"], {})'`,
  ],
  ["python's terminal", `python3 -c 'import pty; pty.spawn(["sh", "-c", "${START}"])'`],
  [
    "python, the dynamic loader",
    `python3 -c 'import os; os.execv("${LOADER}", ["x", "/bin/sh", "-c", "${START}"])'`,
  ],
  [
    "python, a copy of the shell",
    `python3 -c 'import os; os.system; d = open("/bin/sh", "rb").read(); open("/var/app/copy", "wb").write(d); os.chmod("/var/app/copy", 0o755); os.execv("/var/app/copy", ["sh", "-c", "${START}"])'`,
  ],
  [
    "python, a copy in memory",
    `python3 -c 'import os; f = os.memfd_create("x"); os.write(f, open("/bin/sh", "rb").read()); os.execve(f, ["sh", "-c", "${START}"], {})'`,
  ],
  ["env", `env sh -c '${START}'`],
  ["env -S", `env -S 'sh -c "${START.replace("$", "\\$")}"'`],
  ["xargs", `xargs sh -c '${START}'`],
  ["nice", `nice sh -c '${START}'`],
  ["timeout", `timeout 5 sh -c '${START}'`],
  ["setsid", `setsid -w sh -c '${START}'`],
  ["stdbuf", `stdbuf -o0 sh -c '${START}'`],
  ["sed", `sed -n '1e ${START}' /var/app/log`],
  ["sort --compress-program", `sort -S 1k --parallel=1 --compress-program=/var/app/start /var/app/big`],
  ["split --filter", `split '--filter=${START}' /var/app/log`],
  ["rsync -e", `rsync -e 'sh -c "${START} >&2"' /var/app/log x:/var/app`],
  ["ssh's Match exec", "ssh -G -F /var/app/ssh_config x"],
  ["perl", `perl -e 'exec "sh", "-c", q(${START})'`],
];

/** What is typed to a program on a terminal so that it starts a shell: when it is there, what, and when that is over. */
const KEYS: [what: string, line: string, there: RegExp, keys: string, over: RegExp, leave: string][] = [
  ["less", "less /var/app/log", /a line/, `!${START}\r`, /done +\(press RETURN\)/, "\rq"],
  ["git's pager", "git -C /var/repo show HEAD:big", /\b40\b/, `!${START}\r`, /done +\(press RETURN\)/, "\rq"],
  ["vim", "vim -u NONE /var/app/log", /a line/, `:!${START}\r`, /ENTER|returned|Cannot execute/, "\r:q!\r"],
  [
    "python3",
    "python3 -q",
    />>> /,
    `import os; os.system("${START}")\r`,
    /\r\n(0|32512)\r\n>>> /,
    "exit()\r",
  ],
];

/** What the same programs are there for. */
const WORK: [what: string, line: string, shows: RegExp][] = [
  ["less", "less /var/app/log", /^a line$/m],
  ["vim", "vim -es -c 'normal Gonew line' -c 'wq' /var/app/notes", /^$/],
  ["man", "man -Tutf8 /var/app/tool.1", /shows how a tool is described/],
  ["find", "find /var/app -name 'lo*' -size -10k", /^\/var\/app\/log$/m],
  // To compress, it starts gzip by a shell; to read what is compressed, it does not.
  ["tar", "tar -cvf /var/app/c.tar -C /var/app log", /^log$/m],
  ["tar, of what is compressed", "tar -xzOf /var/app/a.tar.gz", /^a line$/m],
  ["git log", "git -C /var/repo log --oneline", /second/],
  ["git add", "git -C /var/repo add filtered", /^$/],
  ["git commit", "git -C /var/repo -c core.hooksPath=/dev/null commit -m third", /third/],
  ["awk", "awk '{ print $2 }' /var/app/log", /^line$/m],
  ["python3", "python3 -c 'import json, ssl, sqlite3, socket; print(json.dumps([6 * 7]))'", /^\[42\]$/m],
  ["env", "env", /^PATH=/m],
  ["sort", "sort /var/app/log", /^a line$/m],
];

/**
 * Issue 5, shows 2: programs that can start others, allowed with any arguments. The parser has nothing to refuse here: it
 * is the kernel that keeps a shell from being started, in the very lines that start one in an engagement with mode: shell.
 */
describe("programs that start others, allowed with any arguments", () => {
  let world: World;
  let alice: Person;
  let limited: Multiplexed;
  let shell: Multiplexed;
  before(async () => {
    world = await startWorld({
      engagements: [
        { name: "open", members: ["alice"], mode: "commands", commands: { rules: RULES } },
        { name: "wide", members: ["carol"] },
      ],
    });
    await world.host.run(["sh", "-ec", SURROUNDINGS]);
    alice = await world.signedIn("alice");
    limited = new Multiplexed(alice);
    shell = new Multiplexed(await world.signedIn("carol"));
  });
  after(async () => {
    await Promise.all([limited?.close(), shell?.close()]);
    await world?.close();
  });

  for (const [what, line] of LINES) {
    it(`starts no shell: ${what}`, async () => {
      const before = await shell.ssh(line, "input\n");
      assert.match(before.stdout.toString() + before.stderr, STARTED, "in mode: shell it does");
      const { stdout, stderr } = await limited.ssh(line, "input\n");
      assert.doesNotMatch(stdout.toString() + stderr, STARTED);
      assert.doesNotMatch(stderr, /sallyport: Refused/, "the engagement allows the line itself");
    });
  }

  describe("on a terminal", () => {
    let prompt: Prompt;
    let shelled: TerminalClient;
    const SHELL_PROMPT = /\$ $/;
    const keep = async (terminal: TerminalClient, keys: (typeof KEYS)[number], back: RegExp) => {
      const [, line, there, typed, over, leave] = keys;
      const since = terminal.bytes.length;
      terminal.type(`${line}\r`);
      await terminal.shows(there, since);
      const typing = terminal.bytes.length;
      terminal.type(typed);
      const shown = await terminal.shows(over, typing);
      const leaving = terminal.bytes.length;
      terminal.type(leave);
      await terminal.shows(back, leaving);
      return shown;
    };
    before(async () => {
      prompt = await Prompt.open(alice, { columns: 100 });
      const carol = world.person("carol");
      shelled = new TerminalClient(carol.ssh("web-1"), { env: carol.env, columns: 100, rows: 50 });
      await shelled.shows(SHELL_PROMPT);
    });
    after(async () => {
      shelled?.kill("SIGKILL");
      await prompt?.leave();
    });

    for (const keys of KEYS) {
      it(`starts no shell by what is typed: ${keys[0]}`, async () => {
        assert.match(await keep(shelled, keys, SHELL_PROMPT), STARTED, "in mode: shell it does");
        assert.doesNotMatch(await keep(prompt.terminal, keys, PROMPT), STARTED);
      });
    }

    it("starts no shell as the pager of man", async () => {
      const line = `man -P 'sh -c "${START}"' /var/app/tool.1`;
      const since = shelled.bytes.length;
      shelled.type(`${line}\r`);
      await shelled.shows(STARTED, since);
      assert.doesNotMatch(await prompt.line(line), STARTED);
    });
  });

  for (const [what, line, shows] of WORK) {
    it(`does its work: ${what}`, async () => {
      const { status, stdout, stderr } = await limited.ssh(line);
      assert.equal(status, 0, stderr);
      assert.match(stdout.toString(), shows);
    });
  }
});

const SURROUNDINGS = `
umask 022
mkdir -p /var/app /var/repo /home/deploy/bin
echo 'a line' > /var/app/log
seq 100000 > /var/app/big
tar -cf /var/app/a.tar -C /var/app log
gzip -k /var/app/a.tar
printf '#!/bin/sh\\necho started-$((40+2)) >&2\\n' | tee /home/deploy/bin/git-attack > /var/app/start
chmod 755 /home/deploy/bin/* /var/app/start
echo 'Match exec "echo started-$((40+2)) >&2"' > /var/app/ssh_config
printf '.TH TOOL 1\\n.SH NAME\\ntool \\\\- shows how a tool is described\\n' > /var/app/tool.1
cd /var/repo
git init -q .
git config user.name deploy
git config user.email deploy@web-1
for subject in first second; do echo "$subject line" > file; git add file; git commit -qm $subject; done
seq 1000 > big; git add big; git commit -qm big
cp /var/app/start .git/hooks/pre-commit
echo 'filtered filter=x' > .gitattributes
echo line > filtered
chown -R deploy: /var/app /var/repo /home/deploy
`;
