import assert from "node:assert/strict";
import { logLines, readLogLine } from "@sallyport/agent/files/rsync/rsync-log.ts";

const PREFIX = "2026/11/23 12:01:35 [10410] ";
const MARK = "0123456789abcdef";

describe("a line of rsync's log", () => {
  const entry = (text: string) => {
    const line = readLogLine(`${PREFIX}${MARK}//${text}//${MARK}`, MARK);
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
      cut: false,
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
      assert.equal(readLogLine(line, MARK), null);
    // A contractor's rsync can have the host's say something.
    for (const text of [
      "recv//6//>f+++++++++//a//a",
      `some/name ${MARK}//recv//6//>f+++++++++//a//a//${MARK}`,
    ])
      assert.equal(readLogLine(PREFIX + text, MARK)?.kind, "note");
    const name = "failed to open log-file";
    assert.equal(readLogLine(`rsync: [sender] send_files failed to open "/${name}"`, MARK), null);
    assert.equal(entry(`send//1//<f+++++++++//${name}//${name}`).path.toString(), name);
  });

  it("is told where rsync had no room for its end, with what is known of the name", () => {
    const [a, b] = [`${MARK}//recv//6//>f+++++++++//dir/a`, `${MARK}//recv//7//>f+++++++++//dir/b//dir/`];
    const whole = `${MARK}//recv//8//>f+++++++++//c//c//${MARK}`;
    const lines = logLines(`${PREFIX}${a}${PREFIX}${b}${PREFIX}hello${PREFIX}${whole}`, MARK);
    const entries = lines.map((line) => readLogLine(line, MARK));
    assert.deepEqual(
      entries.map((one) => (one?.kind === "entry" ? [one.entry.path.toString(), one.entry.cut] : one)),
      [
        ["dir/a", true],
        ["dir/b", false],
        ["c", false],
      ],
    );
  });

  it("tells that there will be no log", () => {
    assert.equal(
      readLogLine("rsync: [Receiver] failed to open log-file /x: Permission denied (13)", MARK)?.kind,
      "no-log",
    );
    assert.equal(readLogLine('Ignoring "log file" setting.', MARK)?.kind, "no-log");
  });
});
