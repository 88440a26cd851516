import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { digestOf } from "@sallyport/agent/files/rsync/file-digest.ts";
import { TransferUnderTest } from "../support/transfer-under-test.ts";

describe("the digest of a transferred file", () => {
  let transfer: TransferUnderTest;
  beforeEach(() => {
    transfer = new TransferUnderTest();
  });
  afterEach(() => transfer.close());

  const digest = (path: string, signal = new AbortController().signal) =>
    digestOf(join(transfer.home, path), [transfer.home], signal);

  it("is that of what is there", async () => {
    const sha256 = transfer.file("home/d/a", Buffer.alloc(3_000_000, 5));
    assert.deepEqual(await digest("d/a"), { bytes: 3_000_000, sha256 });
  });

  it("is not taken of what a symbolic link has outside", async () => {
    transfer.file("secret/key", "s3cret");
    symlinkSync(join(transfer.root, "secret/key"), join(transfer.home, "key"));
    symlinkSync(join(transfer.root, "secret"), join(transfer.home, "d"));
    assert.equal(await digest("key"), null);
    assert.equal(await digest("d/key"), null);
  });

  it("is not waited for where a pipe, a device or a directory stands", async () => {
    execFileSync("sh", ["-ec", 'mkfifo "$1"', "-", join(transfer.home, "pipe")]);
    mkdirSync(join(transfer.home, "d"));
    assert.equal(await digest("pipe"), null);
    assert.equal(await digest("d"), null);
    assert.equal(await digest("missing"), null);
    assert.equal(await digestOf("/dev/zero", ["/dev"], new AbortController().signal), null);
  });

  it("ends when it takes too long", async () => {
    transfer.file("home/a", "a");
    assert.equal(await digest("a", AbortSignal.abort()), null);
  });
});
