import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { Terminal } from "@sallyport/agent/recorder/terminal.ts";
import { shimFrame } from "@sallyport/agent/shim/shim-protocol.ts";
import { buildShim, type SanitizedShim } from "../support/shim.ts";
import { outcomeOf, type Peer, stage as program, ShimStage, starting } from "../support/shim-run.ts";
import { temporaryDirectory } from "../support/temporary.ts";
import { within } from "../support/within.ts";

const UNAVAILABLE =
  "sallyport: this host cannot record sessions right now, so none may start. Try again in a minute.\n";
const SECRET = "SECRET";

/** What the shim says by itself when its recorder is gone: the one thing that is shown and not recorded. */
const LOST = "sallyport: This session cannot be recorded any longer, so it ends. Log in again.\n";

describe("the shim", () => {
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

  const unavailable = async () => {
    const { status, stdout, stderr } = await stage.run();
    assert.deepEqual([status, stdout.toString(), stderr.toString()], [254, "", UNAVAILABLE]);
  };
  const ack = (output: number, error = 0) => {
    const counts = Buffer.alloc(8);
    counts.writeUInt32BE(output);
    counts.writeUInt32BE(error, 4);
    return shimFrame("a", counts);
  };

  describe("starts nothing when the agent", () => {
    for (const [what, answer] of [
      ["hangs up", ""],
      ["answers with a length of 0", "00000000"],
      ["answers with a length of 0 and more", "0000000067"],
      ["answers with a length of 2³²−1", "ffffffff67"],
      ["answers with one byte too much", "0004000167"],
      ["answers half", "000000306700"],
      ["answers with another frame", "0000000170"],
      ["answers with a ticket alone", `0000002167${"00".repeat(32)}`],
      ["answers with a path too long", `0000008d67${"00".repeat(32)}${"2f".repeat(108)}`],
      ["answers with a path where nobody is", `0000002467${"00".repeat(32)}2f7878`],
      ["refuses without a status", "0000000172"],
    ] as const) {
      it(what, async () => {
        stage.onAgent = (peer) => peer.socket.end(Buffer.from(answer, "hex"));
        await unavailable();
      });
    }

    it("is not there", async () => {
      await stage.close();
      await unavailable();
      stage = await ShimStage.open(shim, directory.file("run"));
    });

    it("refuses, and shows what it is told", async () => {
      stage.onAgent = (peer) =>
        peer.socket.end(shimFrame("r", Buffer.of(77), Buffer.from("sallyport: no\n")));
      const { status, stderr } = await stage.run();
      assert.deepEqual([status, stderr.toString()], [77, "sallyport: no\n"]);
    });
  });

  it("asks for the command that sshd has, byte for byte, and for none too long for a frame", async () => {
    let asked: Buffer | undefined;
    stage.onAgent = (peer) =>
      void peer
        .until((one) => one.has("s"))
        .then(() => {
          asked = peer.bytes("s");
          peer.socket.end(shimFrame("r", Buffer.of(1)));
        });
    await stage.run(undefined, "", { SSH_ORIGINAL_COMMAND: "printf 'é'; true" });
    assert.deepEqual(asked, Buffer.concat([Buffer.from([1, 0, 1]), Buffer.from("printf 'é'; true")]));
    await stage.run();
    assert.deepEqual(asked, Buffer.from([1, 0, 0]));
    await stage.run(undefined, "", { SSH_ORIGINAL_COMMAND: "x".repeat(131_000) });
    assert.equal(asked?.length, 131_003);
  });

  describe("starts nothing when the recorder", () => {
    const field = (kind: string, value: string | Buffer) => {
      const head = Buffer.alloc(5);
      head.write(kind);
      head.writeUInt32BE(value.length, 1);
      return Buffer.concat([head, Buffer.from(value as string)]);
    };
    const [file, argument, pipe] = [field("f", "/bin/echo"), field("a", "echo"), field("|", "")];
    const layer = Buffer.alloc(24, 1);
    const rule = Buffer.concat([Buffer.alloc(8, 1), Buffer.from("/usr")]);
    for (const [what, bytes] of [
      ["hangs up", Buffer.alloc(0)],
      ["sends another frame first", shimFrame("d", Buffer.from(SECRET))],
      ["sends a frame too large", Buffer.from("ffffffff78", "hex")],
      ["names no file", shimFrame("x", argument)],
      ["names no argument", shimFrame("x", file)],
      ["names nothing", shimFrame("x")],
      ["names 1,025 arguments", shimFrame("x", file, ...Array(1025).fill(argument))],
      ["names a file twice", shimFrame("x", file, file, argument)],
      [
        "names 17 programs",
        shimFrame("x", ...Array(16).fill(Buffer.concat([file, argument, pipe])), file, argument),
      ],
      ["names a program between pipes without arguments", shimFrame("x", file, argument, pipe, file)],
      ["names nothing behind a pipe", shimFrame("x", file, argument, pipe)],
      ["names nothing before a pipe", shimFrame("x", pipe, file, argument)],
      ["has a rule without a layer", shimFrame("x", file, argument, field("P", rule))],
      [
        "has a rule of another program's layer",
        shimFrame("x", file, argument, field("L", layer), pipe, file, argument, field("P", rule)),
      ],
      ["has a layer too short", shimFrame("x", file, argument, field("L", layer.subarray(1)))],
      [
        "has a rule without a path",
        shimFrame("x", file, argument, field("L", layer), field("P", rule.subarray(0, 8))),
      ],
      [
        "has a rule with a relative path",
        shimFrame(
          "x",
          file,
          argument,
          field("L", layer),
          field("P", Buffer.concat([rule.subarray(0, 8), Buffer.from("usr")])),
        ),
      ],
      ["says more with a flag", shimFrame("x", file, argument, field("N", "1"))],
      ["names a terminal where there is none", shimFrame("x", field("t", "/dev/null"), file, argument)],
      ["has a NUL in the file", shimFrame("x", field("f", "/bin/echo\0x"), argument)],
      ["has a NUL in an argument", shimFrame("x", file, argument, field("a", Buffer.from("a\0b")))],
      ["has a NUL in a variable", shimFrame("x", file, argument, field("e", "A=\0"))],
      ["sets a variable without a value", shimFrame("x", file, argument, field("e", "A"))],
      ["sends a field of no kind", shimFrame("x", file, argument, field("q", "A"))],
      [
        "sends a field longer than the frame",
        shimFrame("x", file, argument, Buffer.from("61ffffffff61", "hex")),
      ],
      ["sends a field cut off in its length", shimFrame("x", file, argument, Buffer.from("610000", "hex"))],
    ] as const) {
      it(what, async () => {
        stage.onAgent = (peer) => peer.socket.end(stage.go());
        stage.onRecorder = (peer) => peer.socket.end(bytes);
        await unavailable();
      });
    }

    it("but 1,024 arguments are taken, and the environment is changed as said", async () => {
      stage.onAgent = (peer) => peer.socket.end(stage.go());
      let recorder: Peer | undefined;
      stage.onRecorder = (peer) => {
        recorder = peer;
        const script = 'echo "$0 $# $A-$(printenv SSH_ORIGINAL_COMMAND || echo none)"';
        const command = program("/bin/sh", "sh", "-c", script, "zero", ...Array<string>(1020).fill("1"));
        const unset = ["SSH_ORIGINAL_COMMAND", "", "NOT_SET"];
        peer.socket.write(starting(command, { set: { A: "b=c" }, unset }));
        void peer.until((one) => one.has("w")).then(() => peer.socket.end(shimFrame("z", Buffer.of(0, 0))));
      };
      await stage.run(undefined, "", { SSH_ORIGINAL_COMMAND: "x" });
      assert.equal(recorder?.bytes("o").toString(), "zero 1020 b=c-none\n");
    });
  });

  describe("shows nothing of a command that was not released", () => {
    /** The recorder waits for the whole of the output, and does then what a test says. */
    const after = (then: (peer: Peer) => void, length = SECRET.length) =>
      stage.admit(`printf ${SECRET}; printf oops >&2; cat >/dev/null`, (peer) => {
        void peer
          .until((one) => one.bytes("o").length >= length && one.bytes("e").length >= 4)
          .then(() => then(peer));
      });

    for (const [what, bytes, shown, status] of [
      ["released and left", Buffer.concat([ack(6, 4), shimFrame("z", Buffer.of(0, 5))]), [SECRET, "oops"], 5],
      [
        "released in part and left",
        Buffer.concat([ack(3, 1), shimFrame("z", Buffer.of(0, 5))]),
        ["SEC", "o"],
        5,
      ],
      ["left", shimFrame("z", Buffer.of(0, 5)), ["", ""], 5],
      ["hung up", Buffer.alloc(0), ["", LOST], 254],
      ["released one byte too much", ack(7), ["", ""], 254],
      ["released too much of errors", ack(6, 5), [SECRET, ""], 254],
      ["released 2³²−1 bytes", ack(0xffffffff), ["", ""], 254],
      ["released twice", Buffer.concat([ack(6), ack(1)]), [SECRET, ""], 254],
      ["released 2³² in two steps", Buffer.concat([ack(6, 4), ack(0xfffffffa, 0)]), [SECRET, "oops"], 254],
      ["sent output itself", shimFrame("d", Buffer.from("mine")), ["", ""], 254],
      ["sent a short release", shimFrame("a", Buffer.alloc(7)), ["", ""], 254],
      ["sent an end too long", shimFrame("z", Buffer.alloc(3)), ["", ""], 254],
      ["sent a frame of length 0", Buffer.alloc(4), ["", LOST], 254],
      ["sent a frame of length 2³²−1", Buffer.alloc(4, 0xff), ["", LOST], 254],
      ["sent an unknown frame", shimFrame("?"), ["", ""], 254],
      ["sent half a frame", Buffer.from("00000009610000", "hex"), ["", LOST], 254],
      [
        "sent text between bytes that wait",
        Buffer.concat([shimFrame("t", Buffer.from("ours")), shimFrame("z", Buffer.of(0, 1))]),
        ["", ""],
        1,
      ],
      [
        "sent text behind what it released",
        Buffer.concat([ack(0, 4), shimFrame("t", Buffer.from("ours")), shimFrame("z", Buffer.of(0, 1))]),
        ["", "oopsours"],
        1,
      ],
      ["went on after its end", Buffer.concat([shimFrame("z", Buffer.of(0, 1)), ack(6, 4)]), ["", ""], 1],
    ] as const) {
      it(`: the recorder has ${what}`, async () => {
        after((peer) => peer.socket.end(bytes));
        const outcome = await stage.run();
        assert.deepEqual([outcome.stdout.toString(), outcome.stderr.toString()], shown);
        assert.equal(outcome.status, status);
      });
    }
  });

  it("dies of the signal that it is told, and of none that would only stop it", async () => {
    for (const [number, expected] of [
      [15, "SIGTERM"],
      [9, "SIGKILL"],
      [11, "SIGSEGV"],
      [6, "SIGABRT"],
    ] as const) {
      stage.admit("exit 0", (peer) => peer.socket.end(shimFrame("z", Buffer.of(1, number))));
      assert.equal((await stage.run()).signal, expected);
    }
    for (const number of [0, 17, 18, 19, 20, 21, 22, 23, 28, 65, 128, 255]) {
      stage.admit("exit 0", (peer) => peer.socket.end(shimFrame("z", Buffer.of(1, number))));
      const { status, signal } = await stage.run();
      assert.deepEqual([status, signal], [254, null], String(number));
    }
  });

  it("gives input to the command, and a copy to the recorder, and the command's end behind its output", async () => {
    const input = Buffer.alloc(1_000_000, "input ");
    let recorder: Peer | undefined;
    stage.admit("cat; echo done >&2", (peer) => {
      recorder = peer;
      let [output, error] = [0, 0];
      peer.socket.on("data", () => {
        const [o, e] = [peer.bytes("o").length, peer.bytes("e").length];
        peer.socket.write(ack(o - output, e - error));
        [output, error] = [o, e];
        if (peer.has("w")) peer.socket.end(shimFrame("z", peer.bytes("w")));
      });
    });
    const { status, stdout, stderr } = await stage.run(undefined, input);
    assert.deepEqual([status, stderr.toString(), stdout.equals(input)], [0, "done\n", true]);
    assert.ok(recorder?.bytes("i").equals(input));
    assert.deepEqual(
      recorder?.frames.slice(0, 2).map(({ type }) => type),
      ["h", "c"],
    );
    assert.equal(recorder?.frames.at(-1)?.type, "w");
  });

  it("stops reading a command whose output is not released, and uses no CPU then", async () => {
    let recorder: Peer | undefined;
    stage.admit("exec head -c 50000000 /dev/zero", (peer) => (recorder = peer));
    const child = stage.start();
    const outcome = outcomeOf(child);
    let [length, since] = [-1, 0];
    await within(10_000, "it stops", () => {
      const now = recorder?.bytes("o").length ?? 0;
      if (now !== length) [length, since] = [now, performance.now()];
      return length > 0 && performance.now() - since > 300;
    });
    assert.ok(length <= 576 * 1024, `${length} bytes sent that wait for release`);
    const used = cpu(child.pid);
    const wait = performance.now();
    await within(2000, "half a second", () => performance.now() - wait > 500);
    assert.ok(cpu(child.pid) - used <= 2, "clock ticks in half a second");
    recorder?.socket.destroy();
    assert.deepEqual([(await outcome).status, (await outcome).stdout.length], [254, 0]);
  });

  it("ends, and does not spin, when nobody reads its errors any more", async () => {
    stage.admit("exec sleep 100", () => {});
    const child = stage.start();
    await once(child, "spawn");
    const outcome = outcomeOf(child);
    child.stderr?.destroy();
    assert.equal((await outcome).status, 254);
  });

  it("leaves no command behind when its recorder goes, not even one that has hardly begun", async () => {
    const seconds = `98.${process.pid}`; // nobody else's
    for (let i = 0; i < 20; i++) {
      stage.admit(`exec sleep ${seconds}`, (peer) => peer.socket.end());
      await stage.run();
    }
    const left = () => processes().filter((one) => one.startsWith("sleep\0") && one.includes(seconds));
    await within(2000, "all gone", () => left().length === 0);
  });

  describe("on a terminal", () => {
    let inner: Terminal;
    beforeEach(() => {
      inner = new Terminal(80, 24, 0, 0);
    });
    afterEach(() => inner.close());

    it("shows what the recorder sends, raw, and runs the shell on the recorder's terminal", async () => {
      let recorder: Peer | undefined;
      inner.read(
        (bytes) => recorder?.send("d", bytes),
        () => {},
      );
      stage.admit(
        "echo hello; exec sh -c 'test -t 0 && exit 3'",
        (peer) => {
          recorder = peer;
          void peer.until((one) => one.has("w")).then(() => peer.socket.end(shimFrame("z", peer.bytes("w"))));
        },
        inner.path,
      );
      const terminal = stage.startOnTerminal();
      const status = await terminal.exited;
      assert.deepEqual([status, terminal.text], [3, "hello\r\n"]);
    });

    it("shows nothing else, and does not take releases there", async () => {
      stage.admit(
        "sleep 100",
        (peer) => {
          peer.send("t", Buffer.from("text\r\n"));
          peer.socket.write(ack(0));
          peer.send("d", Buffer.from("more"));
          peer.socket.end();
        },
        inner.path,
      );
      const terminal = stage.startOnTerminal();
      assert.deepEqual([await terminal.exited, terminal.text], [254, "text\r\n"]);
    });

    it("starts nothing without a terminal to start it on", async () => {
      stage.admit("echo started", (peer) => peer.socket.end());
      const terminal = stage.startOnTerminal();
      assert.equal(await terminal.exited, 254);
      assert.equal(terminal.text, UNAVAILABLE.replace("\n", "\r\n"));
    });
  });

  describe("as AuthorizedPrincipalsCommand", () => {
    const principals = async (...args: string[]) => {
      const { status, stdout, stderr } = await stage.run(["principals", ...args]);
      assert.deepEqual([status, stderr.toString()], [0, ""], "sshd logs the whole command of one that fails");
      return stdout.toString();
    };

    it("hands its arguments over, and prints the answer", async () => {
      let asked: Buffer | undefined;
      stage.onAgent = (peer) =>
        void peer
          .until((one) => one.has("q"))
          .then(() => {
            asked = peer.bytes("q");
            peer.socket.end(shimFrame("p", Buffer.from("line\n")));
          });
      assert.equal(await principals("--user=x", "", "--key=y"), "line\n");
      assert.equal(asked?.toString("latin1"), "\0\0\0\x08--user=x\0\0\0\0\0\0\0\x07--key=y");
    });

    for (const [what, answer] of [
      ["hangs up", ""],
      ["answers nothing", "0000000170"],
      ["answers with another frame", "0000000267ff"],
      ["answers with a length of 0", "00000000ff"],
      ["answers with a length of 2³²−1", "ffffffff7061"],
      ["answers half", "000000107061"],
    ] as const) {
      it(`denies when the agent ${what}`, async () => {
        stage.onAgent = (peer) => peer.socket.end(Buffer.from(answer, "hex"));
        assert.equal(await principals("--user=x"), "");
      });
    }

    it("denies what is too long for a frame", async () => {
      stage.onAgent = (peer) => peer.socket.end(shimFrame("p", Buffer.from("line\n")));
      assert.equal(await principals("x".repeat(131_000), "x".repeat(131_000), "x".repeat(200)), "");
    });
  });
});

/** The command lines of all processes. */
function processes(): string[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, "utf8");
      } catch {
        return ""; // it has ended
      }
    });
}

/** CPU time of a process so far, in clock ticks. */
function cpu(pid: number | undefined): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ")[1]?.split(" ") ?? [];
  return Number(fields[11]) + Number(fields[12]);
}
