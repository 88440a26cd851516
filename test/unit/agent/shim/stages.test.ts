import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readlinkSync, realpathSync } from "node:fs";
import { Terminal } from "@sallyport/agent/recorder/terminal.ts";
import { decodeStarted, shimFrame } from "@sallyport/agent/shim/shim-protocol.ts";
import { buildShim, type SanitizedShim } from "../support/shim.ts";
import {
  outcomeOf,
  type Peer,
  stage as program,
  recordAll,
  ShimStage,
  starting,
} from "../support/shim-run.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { within } from "../support/within.ts";

const sh = (script: string) => program("/bin/sh", "sh", "-c", script);

describe("what the shim starts", () => {
  const directory = temporaryDirectory("suite");
  let shim: SanitizedShim;
  let stage: ShimStage;
  before(() => {
    mkdirSync(directory.file("run"));
    shim = buildShim(directory.file("run"), directory.file("shim"));
  });
  beforeEach(async () => {
    stage = await ShimStage.open(shim, directory.file("run"));
  });
  afterEach(async () => {
    await stage.close();
    assert.equal(shim.findings(), "");
  });

  describe("as a pipeline", () => {
    it("passes on what each program says, and ends like the last", async () => {
      const { status, stdout } = await stage.carry(
        [sh("cat; echo two; exit 3"), program("/usr/bin/tr", "tr", "a-z", "A-Z"), sh("cat; exit 7")],
        { input: "one\n" },
      );
      assert.deepEqual([status, stdout], [7, "ONE\nTWO\n"]);
    });

    it("dies like the last", async () => {
      assert.equal((await stage.carry([sh("true"), sh("kill -TERM $$")])).signal, "SIGTERM");
    });

    it("has sixteen programs, and ends the first when nobody reads it", async () => {
      const cats = Array.from({ length: 14 }, () => program("/bin/cat", "cat"));
      const many = [program("/usr/bin/yes", "yes"), ...cats, program("/usr/bin/head", "head", "-n1")];
      const { status, stdout } = await stage.carry(many);
      assert.deepEqual([status, stdout], [0, "y\n"]);
    });

    it("is of one process group, in a session of its own, which `k` reaches", async () => {
      const print = sh("cut -d' ' -f5,6 /proc/$$/stat >&2; sleep 100");
      let recorder: Peer | undefined;
      stage.onAgent = (peer) => peer.socket.end(stage.go());
      stage.onRecorder = (peer) => {
        recorder = peer;
        peer.socket.write(starting([print, print]));
        recordAll(peer, () => peer.socket.end(shimFrame("z", peer.bytes("w"))));
        void peer
          .until((one) => one.bytes("e").toString().split("\n").length === 3)
          .then(() => peer.send("k", Buffer.of(15)));
      };
      const { signal, stderr } = await stage.run();
      const [[group, session] = [], other] = stderr
        .toString()
        .trim()
        .split("\n")
        .map((line) => line.split(" "));
      assert.deepEqual([signal, group, other], ["SIGTERM", session, [group, session]]);
      assert.ok(recorder?.has("w"));
    });

    it("is not begun at all when one of it cannot be", async () => {
      for (const bad of [0, 1, 2]) {
        const stages = [sh("echo began >&2"), sh("echo began >&2"), sh("echo began >&2")].map((one, index) =>
          index === bad ? { ...one, directory: "/not/there" } : one,
        );
        const { status, stderr } = await stage.carry(stages);
        assert.deepEqual([status, stderr], [254, "sallyport: /not/there: No such file or directory\r\n"]);
      }
    });

    it("is in the foreground of the terminal, where Ctrl-C ends all of it and not the session", async () => {
      const inner = new Terminal(80, 24, 0, 0);
      try {
        inner.read(
          () => {},
          () => {},
        );
        let ends = 0;
        let typed = false;
        stage.onAgent = (peer) => peer.socket.end(stage.go());
        const next = [
          [sh("echo >/dev/tty; exec sleep 100"), sh("exec sleep 100")],
          [sh("test -t 0 && exit 5"), sh("cat; exit 6")],
        ].map((stages) => starting(stages, { terminal: inner.path }));
        stage.onRecorder = (peer) => {
          peer.socket.write(next[0] ?? "");
          recordOnTerminal(peer, () => {
            if (ends++ === 0) peer.socket.write(next[1] ?? "");
            else peer.socket.end(shimFrame("z", Buffer.of(0, peer.bytes("w").at(-1) ?? 0)));
          });
          void peer.until((one) => one.has("c")).then(() => (typed = true));
        };
        const terminal = stage.startOnTerminal();
        await within(5000, "it runs", () => typed && foreground(inner.path) >= 2);
        inner.write(Buffer.of(3));
        assert.deepEqual([await terminal.exited, ends], [6, 2]);
      } finally {
        inner.close();
      }
    });
  });

  it("runs in its directory, and not at all where that is not there", async () => {
    const pwd = program("/bin/pwd", "pwd");
    assert.equal((await stage.carry({ ...pwd, directory: "/usr/share" })).stdout, "/usr/share\n");
    const { status, stdout, stderr } = await stage.carry({ ...pwd, directory: "/not/there" });
    assert.deepEqual([status, stdout], [254, ""]);
    assert.equal(stderr, "sallyport: /not/there: No such file or directory\r\n");
  });

  it("has of the environment what is said and no more", async () => {
    const env = program("/usr/bin/env", "env");
    const dirty = { LD_PRELOAD: "/x.so", BASH_ENV: "/x" };
    const inherited = await stage.carry(env, { env: dirty });
    assert.match(inherited.stdout, /^BASH_ENV=/m);
    const { stdout } = await stage.carry(env, { env: dirty, clear: true, set: { A: "1", B: "x=y" } });
    assert.equal(stdout, "A=1\nB=x=y\n");
  });

  it("has of the environment its own besides what is for all", async () => {
    const show = sh('cat; echo "$A$B$C"');
    const stages = [
      { ...show, set: { B: "1" } },
      { ...show, set: { A: "2", C: "2" } },
      { ...show, set: {} },
    ];
    const { stdout } = await stage.carry(stages, { clear: true, set: { A: "0", PATH: "/usr/bin:/bin" } });
    assert.equal(stdout, "01\n22\n0\n");
    assert.equal((await stage.carry(stages.slice(0, 1), { set: { A: "0" } })).stdout, "01\n");
  });

  it("has no descriptors but three, no blocked signals, and no way to more privileges where it is said", async () => {
    const look = sh(
      "ls -l /proc/self/fd | tail -n +2 | wc -l; grep -E 'NoNewPrivs|SigBlk' /proc/self/status",
    );
    for (const stages of [look, [look, program("/bin/cat", "cat")]]) {
      const { stdout } = await stage.carry(stages);
      // The fourth is the directory that ls reads.
      assert.equal(stdout, "4\nSigBlk:\t0000000000000000\nNoNewPrivs:\t0\n");
    }
    assert.match((await stage.carry({ ...look, noNewPrivileges: true })).stdout, /NoNewPrivs:\t1/);
  });

  it("is nothing where a layer is refused by the kernel, as without giving up privileges or of no rights", async () => {
    const nothing = { handledFs: 0n, handledNet: 0n, scoped: 0n, rules: [] };
    const unknown = { ...nothing, handledFs: 1n << 63n };
    for (const layer of [nothing, unknown]) {
      const { status, stdout, stderr } = await stage.carry({
        ...sh("echo began"),
        noNewPrivileges: true,
        layers: [layer],
      });
      assert.deepEqual([status, stdout], [254, ""]);
      assert.match(stderr, /^sallyport: the kernel does not confine the command: .*\r\n$/);
    }
  });

  it("is killed with all that has left its group, before and after its own end", async () => {
    const detach =
      "setsid sh -c 'setsid sleep 1000 2>/dev/null & echo $! >&2; exec 2>/dev/null; wait' & sleep 0.2; exec sleep";
    for (const rest of [1000, 0]) {
      let left = 0;
      stage.onAgent = (peer) => peer.socket.end(stage.go());
      stage.onRecorder = (peer) => {
        peer.socket.write(starting(sh(`{ ${detach} ${rest}; } >/dev/null`)));
        recordAll(peer, () => {});
        void peer
          .until((one) => one.bytes("e").includes("\n") && (rest > 0 || one.has("w")))
          .then(async () => {
            left = Number(peer.bytes("e"));
            assert.ok(existsSync(`/proc/${left}`));
            peer.send("k", Buffer.of(9));
            await within(5000, "it is killed", () => !existsSync(`/proc/${left}`));
            peer.socket.end(shimFrame("z", Buffer.of(0, 3)));
          });
      };
      assert.equal((await stage.run()).status, 3);
      assert.ok(left > 0 && !existsSync(`/proc/${left}`));
    }
  });

  it("is one command after another, or none", async () => {
    let ends = 0;
    stage.onAgent = (peer) => peer.socket.end(stage.go());
    stage.onRecorder = (peer) => {
      peer.send("y");
      peer.socket.write(starting(sh("echo one; exit 1")));
      recordAll(peer, () => {
        if (ends++ === 0) peer.socket.write(starting([sh("echo two"), sh("cat; exit 2")]));
        else peer.socket.end(shimFrame("z", Buffer.of(0, 2)));
      });
    };
    const both = await stage.run();
    assert.deepEqual([both.status, both.stdout.toString()], [2, "one\ntwo\n"]);

    stage.onRecorder = (peer) => {
      peer.send("t", Buffer.from("no\n"));
      peer.socket.end(shimFrame("z", Buffer.of(0, 126)));
    };
    const refused = await stage.run();
    assert.deepEqual([refused.status, refused.stderr.toString()], [126, "no\n"]);
  });

  it("is not another command while one runs, and no prompt", async () => {
    for (const frame of [
      starting(sh("echo two")),
      shimFrame("y"),
      shimFrame("m"),
      shimFrame("k", Buffer.of(0)),
    ]) {
      stage.admit("exec sleep 100", (peer) => {
        recordAll(peer, () => {});
        void peer.until((one) => one.has("c")).then(() => peer.socket.write(frame));
      });
      const { status, stdout } = await stage.run();
      assert.deepEqual([status, stdout.toString()], [254, ""]);
    }
  });

  it("has direct descriptors that are its own, which the shim lets go of when they have been taken", async () => {
    let recorder: Peer | undefined;
    stage.onAgent = (peer) => peer.socket.end(stage.go());
    stage.onRecorder = (peer) => {
      recorder = peer;
      peer.socket.write(starting(sh("echo shown >&2; cat; exit 4"), { direct: true }));
      // What it says on standard error is the recorder's to show.
      void peer
        .until((one) => one.has("e"))
        .then(() => peer.send("t", peer.bytes("e")))
        .then(() => peer.until((one) => one.has("w")))
        .then(() => peer.socket.end(shimFrame("z", peer.bytes("w"))));
    };
    const child = stage.start();
    const outcome = outcomeOf(child);
    await within(5000, "it runs", () => recorder?.has("e") === true);
    const { direct } = decodeStarted(recorder?.bytes("c") ?? Buffer.alloc(1)) ?? {};
    assert.ok(direct);
    const [of, ends] = [`/proc/${child.pid}/fd`, [direct.input, direct.output].map(String)];
    assert.deepEqual(
      ends.map(
        (fd, index) => readlinkSync(`${of}/${fd}`) === readlinkSync(`/proc/${direct.pid}/fd/${index}`),
      ),
      [true, true],
    );
    child.stdin?.write("the shim does not read this");
    recorder?.send("m");
    // Nobody has the other end of its input now: it ends.
    const { status, stdout, stderr } = await outcome;
    assert.deepEqual([status, stdout.toString(), stderr.toString()], [4, "", "shown\n"]);
    assert.equal(recorder?.has("i"), false);
  });

  /** Processes that have a terminal's file open. */
  function foreground(path: string): number {
    const real = realpathSync(path);
    return readdirSync("/proc").filter((pid) => {
      try {
        return /^\d+$/.test(pid) && Number(pid) !== process.pid && readlinkSync(`/proc/${pid}/fd/2`) === real;
      } catch {
        return false;
      }
    }).length;
  }
});

/** On a terminal nothing is released; only ends are waited for. */
function recordOnTerminal(peer: Peer, ended: () => void): void {
  let ends = 0;
  peer.socket.on("data", () => {
    const now = peer.frames.filter(({ type }) => type === "w").length;
    for (; ends < now; ends++) ended();
  });
}
