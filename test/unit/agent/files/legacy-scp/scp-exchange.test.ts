import assert from "node:assert/strict";
import { FileAccess } from "@sallyport/agent/files/file-access.ts";
import { LegacyScpFilter } from "@sallyport/agent/files/legacy-scp/legacy-scp-filter.ts";
import type { FileEvent } from "../support/transfer-under-test.ts";

/** A filter whose two sides are played by the test. `/srv/out` leads to `/etc`. */
function play(direction: "read" | "write", path = "/srv") {
  const seen = { server: "", client: "", broken: "", events: [] as FileEvent[] };
  const access = new FileAccess(
    [{ protocols: ["legacy-scp"], directories: [{ path: "/srv", access: "read-write", maxFileSize: 100 }] }],
    { home: "/srv", real: (one) => one.replace(/^\/srv\/out\b/, "/etc") },
  );
  const filter = new LegacyScpFilter(
    {
      toServer: (bytes) => {
        seen.server += Buffer.from(bytes).toString("latin1");
      },
      toClient: (bytes) => {
        seen.client += Buffer.from(bytes).toString("latin1");
      },
      event: (event) => seen.events.push(event),
      broken: (message) => {
        seen.broken = message;
      },
    },
    access,
    { direction, path, isDirectory: true },
  );
  const client = (text: string) => filter.fromClient(Buffer.from(text, "latin1"));
  const server = (text: string) => filter.fromServer(Buffer.from(text, "latin1"));
  return { seen, filter, client, server };
}

describe("a hostile scp", () => {
  for (const name of ["../x", "a/b", "/etc/x", ".", "..", "out", "a\0b", "\xff\xfe", "x".repeat(300)])
    it(`cannot put a file with the name ${JSON.stringify(name.slice(0, 20))}`, () => {
      const { seen, client, server } = play("write");
      server("\0");
      client(`C0644 5 ${name}\n`);
      assert.equal(seen.server, "");
      assert.ok(seen.broken !== "" || seen.client.startsWith("\0\u0001scp: "));
      assert.ok(seen.broken !== "" || seen.events[0]?.result === "refused");
    });

  it("cannot have data taken for records that nobody judged", () => {
    const { seen, client, server } = play("write");
    server("\0");
    // The host will not open it, and would take what follows for the next record.
    client("C0644 30 dir\nC0644 5 ../../etc/cron.d/x\nhello\0");
    assert.equal(seen.server, "C0644 30 dir\n");
    server("\u0001scp: dir: Is a directory\n");
    assert.equal(seen.server, "C0644 30 dir\n");
    assert.ok(seen.client.includes("Is a directory\n\u0001scp: ../../etc/cron.d/x: a name"));
    assert.deepEqual(
      seen.events.map(({ result }) => result),
      ["failed", "refused"],
    );
  });

  it("cannot send more than it said, nor a size that is none", () => {
    const { seen, client, server } = play("write");
    server("\0");
    client("C0644 3 a\n");
    server("\0");
    client("abcC0644 5 ../x\n");
    assert.equal(seen.server, "C0644 3 a\nabc");
    assert.match(seen.broken, /not what scp answers/);
    for (const size of ["-1", "1e3", "99999999999999999999", "0x10", ""]) {
      const other = play("write");
      other.server("\0");
      other.client(`C0644 ${size} a\n`);
      assert.equal(other.seen.server, "");
      assert.notEqual(other.seen.broken, "");
    }
  });

  it("is stopped where nobody can tell whose answer an error is", () => {
    const { seen, client, server } = play("write");
    server("\0");
    for (const record of ["T1 0 1 0\n", "D0755 0 d\n", "E\n"]) {
      client(record);
      server("\0");
    }
    client("C0644 5 a\n");
    server("\u0001scp: d: set times: No such file\n");
    client("hello\0");
    server("\0");
    assert.notEqual(seen.broken, "");
    assert.equal(seen.server, "T1 0 1 0\nD0755 0 d\nE\nC0644 5 a\n");
  });

  it("cannot leave the directory that it came by", () => {
    const { seen, client, server } = play("write");
    server("\0");
    client("E\n");
    assert.equal(seen.server, "");
    assert.notEqual(seen.broken, "");
  });

  it("cannot answer before it is asked, and so get what was refused", () => {
    const { seen, client, server } = play("read");
    client("\0\0\0\0\0\0");
    assert.equal(seen.server, "\0");
    server("D0755 0 srv\n");
    server("C0644 6 out\n");
    // The host's scp hears an error, whatever the contractor's has answered.
    assert.ok(seen.server.startsWith("\0\0\u0001scp: /srv/out: it is not in"));
    server("C0644 5 a\n");
    assert.equal(seen.server.slice(-2), "\n\0");
    server("hello\0");
    assert.deepEqual(
      seen.events.map(({ path, result }) => `${path} ${result}`),
      ["/srv ok", "/srv/out refused", "/srv/a ok"],
    );
  });

  it("cannot make it remember without end", () => {
    const { seen, client, server } = play("write");
    server("\0");
    client("C0644 5 a\n");
    for (let i = 0; i < 40; i++) client("x".repeat(64 * 1024));
    assert.match(seen.broken, /does not wait/);
    const other = play("write");
    other.server("\0");
    other.client(`C0644 5 ${"x".repeat(20_000)}`);
    assert.match(other.seen.broken, /too long/);
  });

  it("is told as failed when it goes away in the middle of a file", () => {
    const { seen, client, server, filter } = play("write");
    server("\0");
    client("C0644 10 a\n");
    server("\0");
    client("1234");
    filter.end();
    assert.deepEqual(
      seen.events.map(({ result, bytes, sha256 }) => ({ result, bytes, sha256 })),
      [{ result: "failed", bytes: 4, sha256: null }],
    );
  });

  it("is followed however its bytes are cut", () => {
    const talk = "T1 0 1 0\nC0644 5 a\nhello\0";
    for (let size = 1; size < 6; size++) {
      const { seen, client, server } = play("write");
      server("\0");
      for (let at = 0; at < talk.length; at += size) client(talk.slice(at, at + size));
      server("\0");
      server("\0");
      server("\0");
      assert.equal(seen.server, talk);
      assert.equal(seen.events[0]?.bytes, 5);
    }
  });
});
