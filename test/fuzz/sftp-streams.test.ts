import assert from "node:assert/strict";
import { SftpFilter } from "@sallyport/agent/files/sftp/sftp-filter.ts";
import fc from "fast-check";
import { fuzz, RUNS, timeLimit } from "./support/fuzz.ts";
import { edits, mutate } from "./support/mutate.ts";
import { answerTo, GRANT, packetsIn, real, u32be, wrongWith } from "./support/sftp-model.ts";

const CASES = Math.min(RUNS, 2500);
const string = (text: string) => Buffer.concat([u32be(Buffer.byteLength(text)), Buffer.from(text)]);
const packet = (type: number, id: number, ...parts: Buffer[]) => {
  const body = Buffer.concat([Buffer.of(type), u32be(id), ...parts]);
  return Buffer.concat([u32be(body.length), body]);
};

const path = fc.oneof(
  fc
    .array(fc.constantFrom("g", "rw", "ro", "wo", "out", "in", "home", "etc", "passwd", "..", ".", "", "x"), {
      maxLength: 6,
    })
    .map((parts) => `/${parts.join("/")}`),
  fc.constantFrom(
    "/g/rw/a",
    "/g/ro/b",
    "/g/wo/c",
    "/g/rw/out/shadow",
    "/g/rw/out",
    "../g/rw",
    "in/x",
    "",
    ".",
    "/g/rwx",
    "/g/rw/",
  ),
);
const number = fc.oneof(fc.nat(64), fc.constantFrom(0x80000000, 0xffffffff, 5000, 4096));
const handle = fc.nat(4).map((value) => string(u32be(value).toString("latin1")));
const name = fc.constantFrom(
  "posix-rename@openssh.com",
  "hardlink@openssh.com",
  "copy-data",
  "limits@openssh.com",
  "run@example",
);
const attributes = fc
  .tuple(fc.nat(15), fc.uint8Array({ maxLength: 32 }))
  .map(([flags, bytes]) => Buffer.concat([u32be(flags), bytes]));

const request = (id: number): fc.Arbitrary<Buffer> =>
  fc.oneof(
    fc.tuple(path, number).map(([at, flags]) => packet(3, id, string(at), u32be(flags), u32be(0))),
    fc
      .tuple(fc.constantFrom(7, 11, 13, 15, 16, 17, 19), path)
      .map(([type, at]) => packet(type, id, string(at))),
    fc
      .tuple(fc.constantFrom(9, 14), path, attributes)
      .map(([type, at, rest]) => packet(type, id, string(at), rest)),
    fc
      .tuple(fc.constantFrom(18, 20), path, path)
      .map(([type, from, to]) => packet(type, id, string(from), string(to))),
    fc.tuple(fc.constantFrom(4, 8, 12), handle).map(([type, on]) => packet(type, id, on)),
    fc.tuple(handle, number).map(([on, length]) => packet(5, id, on, u32be(0), u32be(0), u32be(length))),
    fc
      .tuple(handle, number, fc.nat(300))
      .map(([on, at, length]) => packet(6, id, on, u32be(0), u32be(at), u32be(length), Buffer.alloc(length))),
    fc
      .tuple(name, path, path)
      .map(([what, from, to]) => packet(200, id, string(what), string(from), string(to))),
    fc
      .tuple(fc.nat(255), fc.uint8Array({ maxLength: 40 }))
      .map(([type, bytes]) => packet(type, id, Buffer.from(bytes))),
  );
const requests = fc
  .array(fc.nat(1000).chain(request), { maxLength: 12 })
  .map((list) => [packet(1, 3), ...list]);

/** Feeds a stream in pieces; the model of a host answers each request at once, or all at the end. */
function through(stream: Buffer, piece: number, late: boolean) {
  const toServer: Buffer[] = [];
  const toClient: Buffer[] = [];
  let broken = "";
  let waiting: Buffer = Buffer.alloc(0);
  let handles = 0;
  const filter = new SftpFilter(
    {
      toServer: (bytes) => void toServer.push(Buffer.from(bytes)),
      toClient: (bytes) => void toClient.push(Buffer.from(bytes)),
      event: () => {},
      broken: (message) => {
        broken = message;
      },
    },
    [GRANT],
    { home: "/home", real },
  );
  const passed: Buffer[] = [];
  const answer = () => {
    const { packets, rest } = packetsIn(Buffer.concat([waiting, ...toServer.splice(0)]));
    waiting = rest;
    passed.push(...packets);
    for (const one of packets) filter.fromServer(answerTo(one, handles++ % 5));
  };
  for (let at = 0; at < stream.length && broken === ""; at += piece) {
    filter.fromClient(Buffer.from(stream.subarray(at, at + piece)));
    if (!late) answer();
  }
  answer();
  filter.end();
  return { passed, broken, answers: packetsIn(Buffer.concat(toClient)) };
}

describe("fuzz: SFTP", function () {
  this.timeout(timeLimit());

  it("passes no request for what is not granted, and answers every one in its turn", async () => {
    await fuzz(
      fc.tuple(requests, fc.integer({ min: 1, max: 200 }), fc.boolean()),
      ([list, piece, late]) => {
        const { passed, broken, answers } = through(Buffer.concat(list), piece, late);
        for (const one of passed) assert.equal(wrongWith(one), "");
        const again = list.findIndex((one, i) => i > 0 && one.readUInt8(4) === 1);
        if (again !== -1) return assert.notEqual(broken, "");
        assert.equal(broken, "");
        assert.equal(answers.rest.length, 0);
        assert.deepEqual(
          answers.packets.slice(1).map((one) => one.readUInt32BE(5)),
          list.slice(1).map((one) => one.readUInt32BE(5)),
        );
      },
      { runs: CASES },
    );
  });

  it("passes none either of streams that are damaged, and survives them", async () => {
    await fuzz(
      fc.tuple(requests, edits, fc.integer({ min: 1, max: 200 }), fc.boolean()),
      ([list, changes, piece, late]) => {
        const { passed } = through(mutate(Buffer.concat(list), changes), piece, late);
        for (const one of passed) assert.equal(wrongWith(one), "");
      },
      { runs: CASES },
    );
  });

  it("survives whatever a host answers", async () => {
    await fuzz(
      fc.tuple(requests, fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 6 }), edits),
      ([list, noise, changes]) => {
        let broken = 0;
        const outputs = {
          toServer: () => {},
          toClient: () => {},
          event: () => {},
          broken: () => void broken++,
        };
        const filter = new SftpFilter(outputs, [GRANT], { home: "/home", real });
        filter.fromClient(Buffer.concat(list));
        filter.fromServer(mutate(Buffer.concat(list.map((one, i) => answerTo(one, i))), changes));
        for (const bytes of noise) filter.fromServer(Buffer.from(bytes));
        filter.end();
        assert.ok(broken <= 1);
      },
      { runs: CASES },
    );
  });
});
