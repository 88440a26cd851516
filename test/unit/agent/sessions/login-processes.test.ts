import assert from "node:assert/strict";
import type { ProcessStat } from "../../../../agent/src/kernel/processes.ts";
import { straysOf } from "../../../../agent/src/sessions/login-processes.ts";

const MONITOR = { pid: 100, startTime: 1 };
const process = (pid: number, parent: number): ProcessStat => ({ pid, parent, session: pid, startTime: pid });
/** pid 1 is init; what is its child has lost its own parent. */
const INIT = 1;

describe("the strays of a login", () => {
  // `runsSshd` asks the kernel, which has no such pid here: nothing is taken for sshd unless it is this program.
  const self = globalThis.process.pid;
  const sshd = globalThis.process.execPath;
  // Beyond what the kernel gives (PID_MAX_LIMIT): the next numbers may be threads of this program.
  const free = 4_194_304;
  const child = { ...process(self, MONITOR.pid), startTime: 7 };
  const none = () => false;
  const strays = (
    processes: ProcessStat[],
    shims: ProcessStat[] = [],
    isAsking: (one: { pid: number }) => boolean = none,
    leaving: ProcessStat[] = [],
  ) => {
    const { early, left } = straysOf(MONITOR, processes, { sshd, shims, leaving, isAsking });
    return [...early, ...left].map(({ pid }) => pid);
  };

  it("are none where everything is sshd's or in a recorded session", () => {
    const shim = process(free + 1, self);
    const shell = process(free + 2, shim.pid);
    const grandchild = process(free + 3, shell.pid);
    assert.deepEqual(strays([child, shim, shell, grandchild], [shim]), []);
  });

  it("are what runs straight below sshd and is no shim that asks", () => {
    const early = process(free + 1, self);
    const below = process(free + 2, early.pid);
    assert.deepEqual(strays([child, early, below]), [early.pid, below.pid]);
    assert.deepEqual(
      strays([child, early, below], [], ({ pid }) => pid === early.pid),
      [],
    );
  });

  it("are told apart by whether sshd started them: that may be another session which begins", () => {
    const shim = process(free + 1, self);
    const [below, beginning] = [process(free + 2, shim.pid), process(free + 3, self)];
    const startup = process(free + 4, beginning.pid);
    const recorded = { sshd, shims: [], leaving: [shim], isAsking: none };
    assert.deepEqual(straysOf(MONITOR, [child, shim, below, beginning, startup], recorded), {
      early: [beginning, startup],
      left: [below],
    });
  });

  it("are what has lost its session", () => {
    const shim = process(free + 1, self);
    const detached = process(free + 2, INIT);
    assert.deepEqual(strays([child, shim, detached], [shim]), [detached.pid]);
  });

  it("are what still runs below a shim whose session is over, but not that shim", () => {
    const shim = process(free + 1, self);
    const below = process(free + 2, shim.pid);
    assert.deepEqual(strays([child, shim, below], [shim], none, [shim]), [below.pid]);
  });

  it("are what calls itself a shim without being sshd's child", () => {
    const orphan = process(free + 1, INIT);
    assert.deepEqual(
      strays([child, orphan], [], () => true),
      [orphan.pid],
    );
  });

  it("are what runs under the pid of a shim that has ended", () => {
    const shim = process(free + 1, self);
    const later = { ...shim, startTime: shim.startTime + 1 };
    assert.deepEqual(strays([child, later], [shim]), [later.pid]);
  });

  it("are a copy of sshd that a user has started, which is no child of the monitor's", () => {
    const copy = { ...process(self, INIT), startTime: 9 };
    assert.deepEqual(strays([copy]), [self]);
  });

  it("are found in a circle as well", () => {
    assert.deepEqual(strays([process(free + 1, free + 2), process(free + 2, free + 1)]), [
      free + 1,
      free + 2,
    ]);
  });
});
