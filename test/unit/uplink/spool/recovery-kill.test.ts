import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { SessionId } from "@sallyport/core/names.ts";
import { recordingFrames, verifyRecording } from "@sallyport/core/recording/chain.ts";
import { endRecordOf } from "@sallyport/core/recording/export.ts";
import {
  hostKeys,
  makeSpool,
  newSession,
  openFiles,
  readBlocks,
  recordedOutput,
  recover,
  type Spool,
} from "./spool.ts";

const CHILD = fileURLToPath(new URL("./writing-child.ts", import.meta.url));

/** Lets a recorder write until it has said `lines` numbers, and kills it; returns the last number it said. */
async function writeAndDie(spool: string, session: SessionId, lines: number): Promise<number> {
  const child = spawn(process.execPath, [CHILD, spool, session], { stdio: ["pipe", "pipe", "inherit"] });
  child.stdin.end(hostKeys.privateKey.export({ type: "pkcs8", format: "pem" }));
  let said = "";
  child.stdout.setEncoding("latin1").on("data", (text: string) => {
    said += text;
    if (said.split("\n").length > lines) child.kill("SIGKILL");
  });
  const [status, signal] = await once(child, "close");
  assert.deepEqual([status, signal], [null, "SIGKILL"]);
  return Number(said.slice(0, said.lastIndexOf("\n")).split("\n").at(-1));
}

describe("a recording whose recorder is killed by SIGKILL", () => {
  let spool: Spool;
  beforeEach(() => {
    spool = makeSpool();
  });
  afterEach(() => spool.remove());

  for (const most of [1, 10, 100, 100, 1000, 1000, 3000, 3000]) {
    const lines = randomInt(most) + 1;
    it(`has each line whose write returned, once and in order, after ${lines} of them`, async () => {
      const session = newSession();
      const directory = join(spool.path, session);
      const last = await writeAndDie(spool.path, session, lines);
      assert.ok(recover(spool.path, session));
      const recording = readBlocks(directory);
      assert.equal(verifyRecording(recording, hostKeys.publicKey).complete, true);
      assert.equal(endRecordOf([...recordingFrames(recording)].at(-1)).reason, "recorder-lost");
      const numbers = recordedOutput(directory)
        .toString()
        .split("\n")
        .filter((text) => / /.test(text))
        .map((text) => Number(text.split(" ")[0]));
      assert.deepEqual(
        numbers,
        Array.from({ length: numbers.length }, (_, index) => index),
      );
      assert.ok(numbers.length > last, `${numbers.length} lines, the last one said was ${last}`);
      assert.deepEqual(openFiles(directory), []);
      assert.equal(recover(spool.path, session), null);
      assert.deepEqual(readBlocks(directory), recording);
    });
  }
});
