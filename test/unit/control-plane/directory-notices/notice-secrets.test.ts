import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NoticeSecrets } from "@sallyport/control-plane/directory-notices/notice-secrets.ts";
import { isSallyportError } from "@sallyport/core/errors.ts";

describe("secrets of directory notices", () => {
  const directory = mkdtempSync(join(tmpdir(), "sallyport-secrets-"));
  after(() => rmSync(directory, { recursive: true }));
  const withSecret = (issuer: string, text: string) => {
    const secretFile = join(directory, issuer);
    writeFileSync(secretFile, text);
    return { issuer, directoryNotices: { secretFile } };
  };
  const [one, two] = ["one".repeat(10), "two".repeat(10)];

  it("tell whose notice it is", () => {
    const secrets = new NoticeSecrets([
      withSecret("a", `${one}\n`),
      { issuer: "none", directoryNotices: undefined },
      withSecret("b", two),
    ]);
    assert.deepEqual(
      [one, two, "", "x", `${one}\n`].map((secret) => secrets.issuerOf(secret)),
      ["a", "b", undefined, undefined, undefined],
    );
    assert.equal(secrets.isEmpty, false);
    assert.ok(new NoticeSecrets([{ issuer: "none", directoryNotices: undefined }]).isEmpty);
  });

  const wrong: [what: string, make: () => NoticeSecrets][] = [
    ["is short", () => new NoticeSecrets([withSecret("a", "short")])],
    ["is longer than Graph takes", () => new NoticeSecrets([withSecret("a", "x".repeat(256))])],
    ["is two issuers'", () => new NoticeSecrets([withSecret("a", one), withSecret("b", one)])],
    [
      "is not there",
      () =>
        new NoticeSecrets([{ issuer: "a", directoryNotices: { secretFile: join(directory, "nowhere") } }]),
    ],
  ];
  for (const [what, make] of wrong) {
    it(`refuses to start with one that ${what}`, () => {
      assert.throws(
        make,
        (error) => isSallyportError(error, "config-invalid") && !error.message.includes(one),
      );
    });
  }
});
