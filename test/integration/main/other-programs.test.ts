import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Outcome, run } from "../../fixtures/processes.ts";
import { sessionWhere } from "../../fixtures/sessions.ts";
import { type Person, startWorld, type World } from "../../fixtures/world.ts";

const SCRIPT = "cd /\nread answer <<< here\necho $answer-$((40+2)) $PWD\nexit 3\n";
const PLAYBOOK = `
- hosts: all
  gather_facts: false
  tasks:
    - copy: { content: "by ansible\\n", dest: /home/deploy/made }
    - command: cat /home/deploy/made
      register: read
    - assert: { that: read.stdout == "by ansible" }
`;

/**
 * Issue 5, shows 4: programs that start a shell on the far side, or a program of theirs, whether people know it or not. They
 * work where a shell is allowed. Where only some commands are, they are refused, and what they show has the reason in it.
 */
describe("programs that work over ssh", () => {
  let world: World;
  let shell: Person;
  let commands: Person;

  before(async () => {
    const rules = [{ program: "uptime" }];
    world = await startWorld({
      engagements: [
        { name: "wide", members: ["carol"] },
        { name: "narrow", members: ["alice"], mode: "commands", commands: { rules } },
      ],
    });
    const repository =
      "git init -q --bare repository && cd repository && git symbolic-ref HEAD refs/heads/main";
    await world.host.run(["sh", "-ec", `cd /home/deploy && ${repository}`], { uid: "deploy" });
    shell = await world.signedIn("carol");
    commands = await world.signedIn("alice");
  });
  after(() => world?.close());

  const refusedIn = (command: RegExp) =>
    sessionWhere(commands, (one) => command.test(one.command ?? "") && one.endReason === "refused");

  describe("git", () => {
    const git = (whose: Person, ...argv: string[]): Promise<Outcome> =>
      run(["git", "-c", "user.name=x", "-c", "user.email=x@vendor.test", ...argv], {
        env: { ...whose.env, GIT_SSH_COMMAND: `ssh -F ${join(whose.home, "ssh_config")}` },
      });

    it("clones and pushes in mode: shell", async () => {
      const [first, second] = [join(shell.home, "first"), join(shell.home, "second")];
      const done = async (...argv: string[]) => {
        const { status, stderr } = await git(shell, ...argv);
        assert.equal(status, 0, stderr);
      };
      await done("clone", "-q", "web-1:repository", first);
      writeFileSync(join(first, "file"), "pushed\n");
      await done("-C", first, "add", "file");
      await done("-C", first, "commit", "-qm", "first");
      await done("-C", first, "push", "-q", "origin", "HEAD:main");
      await done("clone", "-q", "web-1:repository", second);
      assert.equal(readFileSync(join(second, "file"), "utf8"), "pushed\n");
    });

    it("is refused in mode: commands, with the reason", async () => {
      const clone = await git(commands, "clone", "-q", "web-1:repository", join(commands.home, "clone"));
      assert.equal(clone.status, 128);
      assert.match(clone.stderr, /^sallyport: Refused: .*Git over ssh starts git-upload-pack.*mode: shell/m);
      assert.match(clone.stderr, /^Ask for more: dana@company\.test$/m);
      const push = await git(
        commands,
        "-C",
        join(shell.home, "first"),
        "push",
        "web-1:repository",
        "HEAD:other",
      );
      assert.match(push.stderr, /^sallyport: Refused: .*git-receive-pack/m);
      await refusedIn(/^git-upload-pack/);
      await refusedIn(/^git-receive-pack/);
    });
  });

  describe("ansible", () => {
    const ansible = (whose: Person, ...argv: string[]): Promise<Outcome> => {
      const directory = join(whose.home, "ansible");
      mkdirSync(directory, { recursive: true });
      writeFileSync(join(directory, "hosts"), "web-1 ansible_python_interpreter=/usr/bin/python3\n");
      writeFileSync(join(directory, "play.yaml"), PLAYBOOK);
      return run(argv, {
        cwd: directory,
        env: {
          ...whose.env,
          PATH: "/usr/bin:/bin",
          LANG: "C.UTF-8",
          ANSIBLE_HOME: directory,
          ANSIBLE_LOCAL_TEMP: directory,
          ANSIBLE_INVENTORY: join(directory, "hosts"),
          ANSIBLE_SSH_ARGS: `-F ${join(whose.home, "ssh_config")}`,
          ANSIBLE_NOCOLOR: "1",
        },
      });
    };

    it("pings and plays in mode: shell", async () => {
      const ping = await ansible(shell, "ansible", "all", "-m", "ping");
      assert.match(ping.stdout.toString(), /^web-1 \| SUCCESS[\s\S]*"pong"/, ping.stderr);
      const play = await ansible(shell, "ansible-playbook", "play.yaml");
      assert.equal(play.status, 0, play.stdout.toString() + play.stderr);
      assert.match(play.stdout.toString(), /^web-1 +: ok=3 +changed=2 /m);
    });

    it("is refused in mode: commands, with the reason", async () => {
      // It shows what the far side says with -vvv only; else its exit status, 126.
      const ping = await ansible(commands, "ansible", "all", "-m", "ping", "-vvv");
      assert.notEqual(ping.status, 0);
      assert.match(ping.stdout.toString(), /Refused: .*as Ansible and many editors do.*mode: shell/);
      const play = await ansible(commands, "ansible-playbook", "play.yaml");
      assert.notEqual(play.status, 0);
      assert.match(play.stdout.toString(), /result 126/);
      await refusedIn(/^\/bin\/sh -c /);
    });
  });

  describe("an editor that feeds a shell from standard input", () => {
    for (const command of ["bash -s", "bash", "sh -s -- one"]) {
      it(`works in mode: shell, and is refused in mode: commands, with the reason: ${command}`, async () => {
        const script = command.startsWith("sh") ? "echo $1-$((40+2)); exit 3\n" : SCRIPT;
        const worked = await run(shell.ssh("web-1", command), { env: shell.env, input: script });
        assert.match(worked.stdout.toString(), /^(here|one)-42/);
        assert.equal(worked.status, 3);

        const { status, stdout, stderr } = await run(commands.ssh("web-1", command), {
          ...{ env: commands.env, input: script },
        });
        assert.deepEqual([status, stdout.toString()], [126, ""]);
        assert.match(stderr, /^sallyport: Refused: .*mode: shell/m);
        await refusedIn(new RegExp(`^${command}$`));
      });
    }

    it("without a command works in mode: shell, and is told in mode: commands what to do instead", async () => {
      const worked = await run(shell.ssh("-T", "web-1"), { env: shell.env, input: SCRIPT });
      assert.match(worked.stdout.toString(), /here-42 \/$/m);
      const { status, stdout, stderr } = await run(commands.ssh("-T", "web-1"), {
        ...{ env: commands.env, input: SCRIPT },
      });
      assert.deepEqual([status, stdout.toString()], [126, ""]);
      assert.match(stderr, /Give a command \("ssh web-1 COMMAND"\)/);
    });
  });

  it("files are refused where the engagement grants none, in words that the program shows", async () => {
    const own = (argv: string[]) => run(argv, { env: commands.env, input: "ls\n" });
    const config = ["-F", join(commands.home, "ssh_config")];
    const file = join(commands.home, "file");
    writeFileSync(file, "x");
    const attempts: [argv: string[], shown: RegExp][] = [
      [["sftp", ...config, "-b", "-", "web-1"], /Refused: .*with SFTP .*Ask for more: dana@company\.test/],
      // Of an answer to an upload, scp shows the code alone.
      [["scp", ...config, file, "web-1:"], /Permission denied/],
      [["scp", "-O", ...config, file, "web-1:"], /Refused: .*with scp -O\.\s+Ask for more/],
      [["rsync", "-e", ["ssh", ...config].join(" "), file, "web-1:"], /Refused: .*with rsync\.\s+Ask/],
    ];
    for (const [argv, shown] of attempts) {
      const { status, stderr } = await own(argv);
      assert.notEqual(status, 0, argv[0]);
      assert.match(stderr, shown, argv.join(" "));
    }
    await refusedIn(/sftp-server$/);
    assert.equal((await world.host.run(["ls", "/home/deploy/file"])).status, 2);
  });
});
