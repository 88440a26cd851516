import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ScimTokens } from "@sallyport/control-plane/scim/scim-tokens.ts";
import { isSallyportError } from "@sallyport/core/errors.ts";

const A = "a".repeat(32);
const B = "b".repeat(32);

describe("SCIM tokens", () => {
  let directory = "";
  let now = 0;
  const logged: unknown[] = [];
  const log = {
    info: (...fields: unknown[]) => logged.push(fields),
    warn: (...fields: unknown[]) => logged.push(fields),
    error: (...fields: unknown[]) => logged.push(fields),
  };
  const file = (name: string, text?: string) => {
    const path = join(directory, name);
    if (text !== undefined) writeFileSync(path, text);
    return path;
  };
  const tokens = (...files: { issuer: string; file: string }[]) => new ScimTokens(files, () => now, log);

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "sallyport-tokens-"));
    logged.length = 0;
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it("tells IdPs by their tokens", () => {
    const known = tokens(
      { issuer: "one", file: file("a", `${A}\n`) },
      { issuer: "two", file: file("b", ` ${B}`) },
    );
    assert.deepEqual(
      [A, B, "", A.slice(1), `${A}a`].map((token) => known.issuerOf(token)),
      [...["one", "two"], ...[undefined, undefined, undefined]],
    );
  });

  const refused: [string, string | undefined][] = [
    ["is not there", undefined],
    ["is empty", "\n \n"],
    ["has a short token", "short"],
    ["has three tokens", [A, B, "c".repeat(32)].join("\n")],
    ["has a token twice", `${A}\n${A}`],
    ["has a token that no header can carry", `${A} ${B}`],
  ];
  for (const [what, text] of refused)
    it(`refuses a file that ${what}, and shows nothing of it`, () => {
      assert.throws(
        () => tokens({ issuer: "one", file: file("x", text) }),
        (error) => isSallyportError(error, "config-invalid") && !error.message.includes(A),
      );
    });

  it("refuses one token for two IdPs", () => {
    const [first, second] = [file("a", A), file("b", A)];
    assert.throws(
      () => tokens({ issuer: "one", file: first }, { issuer: "two", file: second }),
      (error) => isSallyportError(error, "config-invalid"),
    );
  });

  it("takes a changed file within a second, and keeps the old tokens while it is not right", () => {
    const known = tokens({ issuer: "one", file: file("a", A) });
    file("a", `${B}\n`);
    assert.equal(known.issuerOf(A), "one", "not looked at yet");
    now += 1000;
    assert.deepEqual([known.issuerOf(A), known.issuerOf(B)], [undefined, "one"]);
    file("a", "half a tok");
    now += 1000;
    assert.equal(known.issuerOf(B), "one");
    rmSync(file("a"));
    now += 1000;
    assert.equal(known.issuerOf(B), "one");
    file("a", "");
    now += 1000;
    assert.equal(known.issuerOf(B), undefined, "emptied: nobody may come any more");
    assert.doesNotMatch(JSON.stringify(logged), /aaaa|bbbb/);
  });

  it("has a token that two IdPs come to have count for neither", () => {
    const known = tokens({ issuer: "one", file: file("a", A) }, { issuer: "two", file: file("b", B) });
    file("b", `${A}\n${B}`);
    now += 1000;
    assert.deepEqual([known.issuerOf(A), known.issuerOf(B)], [undefined, "two"]);
  });
});
