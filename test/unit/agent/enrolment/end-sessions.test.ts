import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, rmdirSync, writeFileSync } from "node:fs";
import { layOutPaths, type Paths } from "@sallyport/agent/configuration/paths.ts";
import {
  drainConnections,
  endConnections,
  uploadWhatWaits,
} from "@sallyport/agent/enrolment/end-sessions.ts";
import { processStat } from "@sallyport/agent/kernel/processes.ts";
import { serveStatus } from "@sallyport/agent/status/status-server.ts";
import { isSallyportError } from "@sallyport/core/errors.ts";
import { STATUS } from "../support/status.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const RECORDING = "ses_01m83bm45ry0v3yt7hyz1eshm1";
const NEVER = new AbortController().signal;

describe("ending sessions to leave", () => {
  const directory = temporaryDirectory();
  let paths: Paths;
  let said: string[];
  let children: ChildProcess[];
  const say = (sentence: string): void => void said.push(sentence);
  beforeEach(() => {
    paths = layOutPaths(directory.file("state"), directory.file("run"));
    for (const path of [paths.logins, paths.spool]) mkdirSync(path, { recursive: true });
    [said, children] = [[], []];
  });
  afterEach(() => {
    for (const child of children) child.kill("SIGKILL");
  });

  /** A connection: its monitor is a process of its own, noted as the agent notes it. */
  const connection = async (admitted: boolean) => {
    const monitor = spawn("sleep", ["100"], { stdio: "ignore" });
    children.push(monitor);
    await once(monitor, "spawn");
    const { pid = 0 } = monitor;
    const startTime = processStat(pid)?.startTime;
    const login = {
      ...{ monitor: { pid, startTime }, marks: null },
      admitted: admitted ? { memberId: "m", engagementId: "e" } : null,
    };
    writeFileSync(`${paths.logins}/${pid}-${startTime}`, JSON.stringify(login));
    return monitor;
  };
  const isOver = (child: ChildProcess) => child.exitCode !== null || child.signalCode !== null;

  it("ends those who were admitted, and nobody else", async () => {
    const [one, other, refused] = [await connection(true), await connection(true), await connection(false)];
    // The agent is about to write this one.
    writeFileSync(`${paths.logins}/1-1.new`, "{");
    await endConnections(paths, say);
    await Promise.all([one, other].map((child) => isOver(child) || once(child, "exit")));
    assert.equal(isOver(refused), false);
    assert.equal(said[0], "Ending 2 connections of contractors.");
    assert.ok(readdirSync(paths.logins).includes("1-1.new"));
  });

  it("waits for the last to end by itself, and says how many are left", async () => {
    const [one, other] = [await connection(true), await connection(true)];
    const drained = drainConnections(
      paths,
      (sentence) => {
        say(sentence);
        (said.length === 1 ? one : other).kill();
      },
      NEVER,
    );
    await drained;
    assert.deepEqual(
      said.map((sentence) => /for (\d)/.exec(sentence)?.[1]),
      ["2", "1"],
    );
  });

  it("can be interrupted, and then ends nobody", async () => {
    const one = await connection(true);
    const interrupt = new AbortController();
    const drained = drainConnections(paths, () => interrupt.abort(), interrupt.signal);
    await assert.rejects(
      drained,
      (error) => isSallyportError(error, "conflict") && /Interrupted/.test(error.message),
    );
    assert.equal(isOver(one), false);
  });

  it("is done at once where nobody is there, and no agent has run since the boot", async () => {
    paths = layOutPaths(directory.file("state"), directory.file("nowhere"));
    await endConnections(paths, say);
    await drainConnections(paths, say, NEVER);
    await uploadWhatWaits(paths, say, 60_000, NEVER);
    assert.deepEqual(said, []);
  });

  describe("and what they left is uploaded", () => {
    /** An agent that has these events waiting, one less each time that it is asked. */
    const agent = (events: number, connectedSince: string | null) => {
      let left = events;
      return serveStatus(paths.statusSocket, () => {
        if (left === 0) rmdirSync(`${paths.spool}/${RECORDING}`);
        const waiting = Math.max(0, left--);
        return { ...STATUS, outbox: { waiting, dropped: 0 }, uplink: { ...STATUS.uplink, connectedSince } };
      });
    };
    beforeEach(() => mkdirSync(`${paths.spool}/${RECORDING}`));

    it("waits until nothing is left, and says what is", async () => {
      const server = await agent(1, STATUS.uplink.connectedSince);
      await uploadWhatWaits(paths, say, 60_000, NEVER);
      server.close();
      assert.deepEqual(said, ["Uploading: 1 recording and 1 event left."]);
    });

    it("waits no longer than it may", async () => {
      const server = await agent(1000, STATUS.uplink.connectedSince);
      await uploadWhatWaits(paths, say, 300, NEVER);
      server.close();
      assert.ok(said.length > 0);
    });

    it("can be interrupted", async () => {
      const server = await agent(1000, STATUS.uplink.connectedSince);
      const interrupt = new AbortController();
      const waited = uploadWhatWaits(paths, () => interrupt.abort(), 60_000, interrupt.signal);
      await assert.rejects(waited, (error) => isSallyportError(error, "conflict"));
      server.close();
    });
  });
});
