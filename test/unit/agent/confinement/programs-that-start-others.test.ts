import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Terminal } from "@sallyport/agent/recorder/terminal.ts";
import { shimFrame } from "@sallyport/agent/shim/shim-protocol.ts";
import type { Stage } from "@sallyport/agent/shim/start-instructions.ts";
import { type Asked, confined } from "../support/confined.ts";
import { buildShim, type SanitizedShim } from "../support/shim.ts";
import { stage as free, ShimStage, starting } from "../support/shim-run.ts";
import { temporaryDirectory } from "../support/temporary.ts";

/** What a shell that was started says: no program says it of itself. */
const STARTED = "echo shell-$((40+2))-started";
const PROOF = /shell-42-started/;

interface Program {
  argv: [string, ...string[]];
  /** Its ordinary work. */
  proof: RegExp;
  asked?: Asked;
  /** The ways to a shell from inside it, and what is put in its environment for them. */
  attacks: readonly {
    argv: [string, ...string[]];
    env?: Record<string, string>;
    input?: string;
    terminal?: true;
  }[];
}

describe("from inside a program that starts others, sh is stopped by the kernel:", () => {
  const directory = temporaryDirectory("suite");
  let work: string;
  let text: string;
  let shim: SanitizedShim;
  let stage: ShimStage;
  before(() => {
    mkdirSync(directory.file("run"));
    [work, text] = [directory.file("work"), directory.file("work/text")];
    mkdirSync(work);
    writeFileSync(text, "some text\n");
    writeFileSync(directory.file("script.sh"), `#!/bin/sh\n${STARTED} >&2\n`, { mode: 0o755 });
    writeFileSync(directory.file("page.1"), ".TH PAGE 1\n.SH NAME\npage \\- a page that is shown\n");
    execFileSync("tar", ["-cf", directory.file("archive.tar"), "-C", work, "text"]);
    const git = (...args: string[]) =>
      execFileSync("git", ["-C", work, "-c", "user.name=x", "-c", "user.email=x@x.invalid", ...args]);
    git("init", "-q");
    git("add", "text");
    git("commit", "-q", "-m", "a commit");
    shim = buildShim(directory.file("run"), directory.file("shim"));
  });
  beforeEach(async () => {
    stage = await ShimStage.open(shim, directory.file("run"));
  });
  afterEach(async () => {
    await stage.close();
    assert.equal(shim.findings(), "");
  });

  const programs: Record<string, () => Program> = {
    less: () => ({
      argv: ["/usr/bin/less", text],
      proof: /some text/,
      attacks: [{ argv: ["/usr/bin/less", text], env: { LESSOPEN: `|${STARTED}; cat %s` } }],
    }),
    vim: () => ({
      argv: ["/usr/bin/vim", "-es", "-u", "NONE", "+%print", "+qa!", text],
      proof: /some text/,
      attacks: [`silent !${STARTED} >&2`, `put =system('${STARTED}')`, `silent write !${STARTED} >&2`].map(
        (line) => ({
          argv: ["/usr/bin/vim", "-es", "-u", "NONE", `+${line}`, "+%print", "+qa!", text],
        }),
      ),
    }),
    man: () => ({
      argv: ["/usr/bin/man", "-Tutf8", directory.file("page.1")],
      proof: /a page that is shown/,
      asked: {
        confine: {
          execute: ["cat", "col", "sed", "groff", "grotty", "preconv", "tbl", "troff"].map(
            (name) => `/usr/bin/${name}`,
          ),
          write: ["/tmp"],
        },
      },
      attacks: [`sh -c '${STARTED}'`, directory.file("script.sh")].map((pager) => ({
        argv: ["/usr/bin/man", "-P", pager, directory.file("page.1")],
        terminal: true,
      })),
    }),
    find: () => ({
      argv: ["/usr/bin/find", work, "-name", "te*"],
      proof: /\/text/,
      attacks: ["-exec", "-execdir", "-ok"].map((how) => ({
        input: "y\n",
        argv: ["/usr/bin/find", text, how, "/bin/sh", "-c", STARTED, ";"],
      })),
    }),
    tar: () => ({
      argv: ["/usr/bin/tar", "-tvf", directory.file("archive.tar")],
      proof: /text/,
      attacks: [
        ["--checkpoint=1", `--checkpoint-action=exec=${STARTED}`],
        ["-I", `sh -c "${STARTED} >&2; cat"`],
        ["-x", "--to-command", STARTED],
      ].map((how) => ({
        argv: ["/usr/bin/tar", how[0] === "-x" ? "-f" : "-tf", directory.file("archive.tar"), ...how],
      })),
    }),
    git: () => ({
      argv: ["/usr/bin/git", "-c", "safe.directory=*", "--no-pager", "-C", work, "log"],
      proof: /a commit/,
      attacks: [
        { argv: ["/usr/bin/git", "-C", work, "-c", `alias.x=!sh -c '${STARTED}'`, "x"] },
        {
          argv: [
            ...(["/usr/bin/git", "-C", work, "-c", `diff.external=${directory.file("script.sh")}`] as const),
            ...["log", "-p", "--ext-diff"],
          ],
        },
        { argv: ["/usr/bin/git", "-C", work, "-c", `core.pager=${STARTED}`, "log"], terminal: true },
        { argv: ["/usr/bin/git", "-C", work, "-c", `core.editor=${STARTED};:`, "commit", "--amend"] },
        {
          argv: ["/usr/bin/git", "-C", work, "ls-remote", `ext::${directory.file("script.sh")}`],
          env: { GIT_ALLOW_PROTOCOL: "ext" },
        },
      ],
    }),
    awk: () => ({
      argv: ["/usr/bin/awk", "{ print $2 }", text],
      proof: /^text$/m,
      attacks: [
        { argv: ["/usr/bin/awk", `BEGIN { system("${STARTED}") }`] },
        { argv: ["/usr/bin/awk", `BEGIN { "${STARTED}" | getline x; print x }`] },
        { argv: ["/usr/bin/awk", `BEGIN { print "${STARTED}" | "sh" }`] },
      ],
    }),
    python3: () => ({
      argv: [
        "/usr/bin/python3",
        "-c",
        `import json, subprocess, os, ssl, sqlite3; print(open("${text}").read())`,
      ],
      proof: /some text/,
      attacks: [
        `import os; os.execv("/bin/sh", ["sh", "-c", "${STARTED}"])`,
        `import os; os.system("${STARTED}")`,
        `import subprocess; subprocess.run(["/bin/sh", "-c", "${STARTED}"])`,
        `import os, glob; l=glob.glob("/lib*/ld-linux*")[0]; os.execv(l, [l, "/bin/sh", "-c", "${STARTED}"])`,
        // From memory, as an anonymous file (memfd_create(2)).
        `import os; f=os.memfd_create("x"); os.write(f, open("/bin/sh","rb").read()); os.execv(f"/proc/self/fd/{f}", ["sh", "-c", "${STARTED}"])`,
      ].map((code) => ({ argv: ["/usr/bin/python3", "-c", code] })),
    }),
  };

  for (const [name, program] of Object.entries(programs)) {
    it(name, async () => {
      const { argv, proof, asked, attacks } = program();
      const worked = await stage.carry(confined(argv, asked));
      assert.match(worked.stdout, proof, worked.stderr);
      for (const attack of attacks) {
        const how = { env: { HOME: work, ...attack.env }, input: attack.input ?? "" };
        const run = async (one: Stage) => {
          if (attack.terminal) return onTerminal(one);
          const { stdout, stderr } = await stage.carry(one, how);
          return stdout + stderr;
        };
        const said = attack.argv.join(" ");
        assert.match(await run(free(attack.argv[0], ...attack.argv)), PROOF, `works without: ${said}`);
        assert.doesNotMatch(await run(confined(attack.argv, asked)), PROOF, said);
      }
    });
  }

  /** Runs a program on a terminal, on which alone some start others; all that it shows. */
  async function onTerminal(program: Stage): Promise<string> {
    const inner = new Terminal(80, 24, 0, 0);
    try {
      let shown = "";
      inner.read(
        (chunk) => {
          shown += chunk.toString();
        },
        () => {},
      );
      stage.onAgent = (peer) => peer.socket.end(stage.go());
      stage.onRecorder = (peer) => {
        const set = { TERM: "dumb", HOME: work };
        peer.socket.write(starting(program, { terminal: inner.path, set }));
        void peer
          .until((one) => one.has("w"))
          // What was printed before the program's end waits in the kernel: the next turn of the loop reads it.
          .then(() => nextTurn())
          .then(() => nextTurn())
          .then(() => peer.socket.end(shimFrame("z", Buffer.of(0, 0))));
      };
      await stage.startOnTerminal().exited;
      return shown;
    } finally {
      inner.close();
    }
  }
});
