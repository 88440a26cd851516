import assert from "node:assert/strict";
import { readLogLine } from "@sallyport/agent/files/rsync/rsync-log.ts";

const PREFIX = "2026/11/23 12:01:35 [10410] ";

describe("a line of rsync's log", () => {
  const entry = (text: string) => {
    const line = readLogLine(PREFIX + text);
    assert.ok(line?.kind === "entry", text);
    return line.entry;
  };

  it("tells an entry, with its name as it is on the disk", () => {
    assert.deepEqual(entry("recv//6//>f+++++++++//d/nl\\#012\\#134#012 \\#303\\#274//nl"), {
      operation: "recv",
      pid: 10410,
      size: 6,
      change: ">f+++++++++",
      path: Buffer.from("d/nl\n\\#012 ü"),
      directory: false,
      target: null,
    });
    assert.equal(entry("recv//1//cL+++++++++//l//l -> a//b -> c").target, "a//b -> c");
    assert.equal(entry("recv//1//hf+++++++++//l//l => a").target, "a");
    assert.equal(entry("del.//0//*deleting  //gone//gone/").directory, true);
  });

  it("is none where it only looks like one", () => {
    for (const line of [
      "recv//6//>f+++++++++//a//a",
      `x ${PREFIX}recv//6//>f+++++++++//a//a`,
      "rsync: [sender] link_stat failed",
    ])
      assert.equal(readLogLine(line), null);
    // A name cannot have `//`: what follows a name in a message is never in the place of an entry's fields.
    assert.equal(readLogLine(`${PREFIX}some/name recv//6//>f+++++++++//a//a`)?.kind, "note");
  });

  it("tells that there will be no log", () => {
    assert.equal(
      readLogLine("rsync: [Receiver] failed to open log-file /x: Permission denied (13)")?.kind,
      "no-log",
    );
    assert.equal(readLogLine('Ignoring "log file" setting.')?.kind, "no-log");
  });
});
