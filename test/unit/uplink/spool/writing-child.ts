import { createPrivateKey, randomBytes, randomInt } from "node:crypto";
import { readFileSync, writeSync } from "node:fs";
import { SessionId } from "@sallyport/core/names.ts";
import { FrameKind } from "@sallyport/core/recording/frame.ts";
import { startWriting } from "./spool.ts";

/*
 * Writes numbered lines into a recording as fast as it can, in pieces of all sizes, until it is killed. Each number is
 * said on standard output once `write` has returned for its line.
 */
const [spool = "", session = ""] = process.argv.slice(2);
const hostKey = createPrivateKey(readFileSync(0));
const { writer } = startWriting(spool, { hostKey }, SessionId.parse(session));

for (let number = 0; ; number++) {
  const noise = randomBytes(randomInt(randomInt(20) === 0 ? 100_000 : 300)).toString("base64");
  if (!writer.write(FrameKind.output, Buffer.from(`${number} ${noise}\n`))) break;
  writeSync(1, `${number}\n`);
  if (randomInt(10) === 0) writer.tick(Date.now() + 1000);
  // Lets blocks be compressed, appended and synced meanwhile.
  if (randomInt(5) === 0 || !writer.mayWrite) await new Promise(setImmediate);
}
