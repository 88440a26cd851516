import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { FileEvent } from "@sallyport/agent/files/sftp/open-file.ts";
import { SftpFilter } from "@sallyport/agent/files/sftp/sftp-filter.ts";
import type { FileDirectory } from "@sallyport/core/files/file-grant.ts";

const [OPEN, CLOSE, READ, WRITE, FSTAT, SETSTAT, OPENDIR, READDIR] = [3, 4, 5, 6, 8, 9, 11, 12] as const;
const [STATUS, HANDLE, DATA] = [101, 102, 103] as const;
const [READS, WRITES, APPENDS, CREATES, TRUNCATES] = [1, 2, 4, 8, 16] as const;
const [OK, EOF] = [0, 1] as const;

const u32 = (...values: number[]) => {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, i) => {
    bytes.writeUInt32BE(value, 4 * i);
  });
  return bytes;
};
const string = (text: string) => Buffer.concat([u32(Buffer.byteLength(text)), Buffer.from(text)]);
const packet = (type: number, id: number, ...parts: Uint8Array[]) => {
  const body = Buffer.concat([Buffer.of(type), u32(id), ...parts]);
  return Buffer.concat([u32(body.length), body]);
};
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

/** A filter between a client and a host that both say what a test has them say. */
class Between {
  readonly events: FileEvent[] = [];
  readonly filter: SftpFilter;
  #id = 0;
  #toServer = 0;

  constructor(...directories: FileDirectory[]) {
    this.filter = new SftpFilter(
      {
        toServer: () => {
          this.#toServer++;
        },
        toClient: () => {},
        event: (event) => {
          if (event.detail !== "opened") this.events.push(event);
        },
        broken: assert.fail,
      },
      [{ protocols: ["sftp"], directories }],
      { home: "/home", real: (path) => path },
    );
    this.filter.fromClient(Buffer.from("000000050100000003", "hex"));
    this.filter.fromServer(Buffer.from("000000050200000003", "hex"));
  }

  /** Asks the host, which does not answer yet; false where it does not come to hear of it. */
  ask(type: number, ...parts: Uint8Array[]): boolean {
    const before = this.#toServer;
    this.filter.fromClient(packet(type, ++this.#id, ...parts));
    return this.#toServer > before;
  }

  /** The host answers the request that is so many before the last. */
  answer(type: number, parts: Uint8Array[], before = 0): void {
    this.filter.fromServer(packet(type, this.#id - before, ...parts));
  }

  status(code: number, before = 0): void {
    this.answer(STATUS, [u32(code), string(""), string("")], before);
  }

  open(path: string, flags: number, handle: string): void {
    assert.ok(this.ask(OPEN, string(path), u32(flags, 0)), path);
    this.answer(HANDLE, [string(handle)]);
  }

  write(handle: string, text: string, offset = 0): boolean {
    const passed = this.ask(WRITE, string(handle), u32(0, offset), string(text));
    if (passed) this.status(OK);
    return passed;
  }

  close(handle: string): void {
    assert.ok(this.ask(CLOSE, string(handle)), "a handle may always be closed");
    this.status(OK);
  }

  regrant(...directories: FileDirectory[]): void {
    this.filter.regrant([{ protocols: ["sftp"], directories }], "");
  }

  get told(): unknown[] {
    return this.events.map(({ operation, path, result, sha256 }) => [operation, path, result, sha256]);
  }
}

const both = { path: "/d", access: "read-write", maxFileSize: null } as const;

describe("open files of SFTP", () => {
  it("can only be closed when the grants do not allow them any more", () => {
    const between = new Between(both, { path: "/stays", access: "read", maxFileSize: null });
    between.open("/d/read", READS, "r");
    between.open("/d/write", WRITES | CREATES | TRUNCATES, "w");
    between.open("/stays/a", READS, "s");
    assert.ok(between.ask(OPENDIR, string("/d")));
    between.answer(HANDLE, [string("d")]);
    // Asked for before the change, answered after it.
    assert.ok(between.ask(OPEN, string("/d/late"), u32(READS | WRITES, 0)));
    between.regrant({ path: "/stays", access: "read", maxFileSize: null });
    between.answer(HANDLE, [string("l")]);
    for (const handle of ["r", "w", "l"]) {
      assert.ok(!between.ask(READ, string(handle), u32(0, 0, 10)), handle);
      assert.ok(!between.write(handle, "more"), handle);
      assert.ok(!between.ask(FSTAT, string(handle)), handle);
    }
    assert.ok(!between.ask(READDIR, string("d")));
    assert.ok(between.ask(READ, string("s"), u32(0, 0, 10)), "what is still granted goes on");
    between.status(EOF);
    for (const handle of ["r", "w", "l", "d"]) between.close(handle);
  });

  it("grow no larger than the grants allow by now", () => {
    const between = new Between(both);
    between.open("/d/a", WRITES, "a");
    between.open("/d/b", WRITES | APPENDS, "b");
    between.regrant({ ...both, maxFileSize: 10 });
    assert.ok(between.write("a", "0123456789"));
    assert.ok(!between.write("a", "x", 10));
    assert.ok(!between.write("b", "x"), "nobody knows where the host appends");
  });

  it("are told as written whenever the host may have written", () => {
    const between = new Between(both);
    between.open("/d/a", READS | WRITES, "a");
    between.ask(READ, string("a"), u32(0, 0, 1));
    between.answer(DATA, [string("x")]);
    between.ask(WRITE, string("a"), u32(0, 0), string("changed"));
    between.ask(OPEN, string("/d/b"), u32(WRITES | TRUNCATES, 0));
    between.filter.end();
    assert.deepEqual(
      between.told.map((one) => (one as string[]).slice(0, 3)).sort(),
      [
        ["read", "/d/a", "failed"],
        ["write", "/d/a", "failed"],
        ["write", "/d/b", "failed"],
      ].sort(),
    );
  });

  it("have no digest of what another, or a change of its size, has made of the file", () => {
    const between = new Between(both);
    between.open("/d/a", WRITES | TRUNCATES, "1");
    between.write("1", "good");
    between.open("/d/a", WRITES, "2");
    between.write("2", "evil");
    between.close("2");
    between.close("1");
    between.open("/d/b", WRITES | TRUNCATES, "3");
    between.write("3", "good");
    between.ask(SETSTAT, string("/d/b"), u32(1, 0, 2));
    between.status(OK);
    between.close("3");
    between.open("/d/c", WRITES | TRUNCATES, "4");
    between.write("4", "good");
    between.close("4");
    assert.deepEqual(between.told, [
      ["write", "/d/a", "ok", null],
      ["write", "/d/a", "ok", null],
      ["set-attributes", "/d/b", "ok", null],
      ["write", "/d/b", "ok", null],
      ["write", "/d/c", "ok", sha256("good")],
    ]);
  });

  it("have no digest of a beginning that was made to look like all", () => {
    const between = new Between(both);
    between.open("/d/a", READS, "a");
    between.ask(READ, string("a"), u32(0, 0, 5));
    between.answer(DATA, [string("begin")]);
    // sftp-server says that this is the end, whatever follows.
    between.ask(READ, string("a"), u32(0, 5, 0));
    between.status(EOF);
    between.close("a");
    assert.deepEqual(between.told, [["read", "/d/a", "ok", null]]);
  });
});
