import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { earlierCheckpoint } from "@sallyport/client/audit/earlier-checkpoint.ts";
import { readLines } from "@sallyport/client/audit/read-lines.ts";
import { verifyLog } from "@sallyport/client/audit/verify-log.ts";
import { isSallyportError } from "@sallyport/core/errors.ts";
import { signCheckpoint } from "@sallyport/core/transparency/checkpoint.ts";
import { GrowingTree } from "@sallyport/core/transparency/growing-tree.ts";
import { leafHash } from "@sallyport/core/transparency/hashing.ts";
import { formatHeader, formatLeaf, MAX_LINE } from "@sallyport/core/transparency/log-export.ts";
import { formatVerifierKey } from "@sallyport/core/transparency/signed-note.ts";
import { subtreesOf } from "@sallyport/core/transparency/subtrees.ts";
import fc from "fast-check";
import { naiveRoot } from "../core/transparency/naive-tree.ts";

const ORIGIN = "sallyport.example.com/audit-1234abcd";
const { privateKey } = generateKeyPairSync("ed25519");
const KEY = formatVerifierKey({ name: ORIGIN, key: createPublicKey(privateKey) });
const LEAVES = Array.from({ length: 13 }, (_, n) => `{"actor":"\u00e4","data":{"n":${n}},"v":1}`);

function checkpoint(size: number, leaves = LEAVES, signer = privateKey): string {
  const root = naiveRoot(leaves.slice(0, size).map((leaf) => Buffer.from(leaf)));
  return signCheckpoint({ origin: ORIGIN, size, root, extensions: [] }, signer);
}

const line = (index: number, leaf: string) =>
  formatLeaf(index, Buffer.from(leafHash(leaf)).toString("base64"), leaf);

/** An export of all leaves from `from` on. */
function exported(from = 0, size = LEAVES.length): string[] {
  const frontier = subtreesOf({ begin: 0, end: from }).map(({ level, index }) => {
    const tree = new GrowingTree();
    for (const leaf of LEAVES.slice(index * 2 ** level, (index + 1) * 2 ** level))
      tree.append(leafHash(leaf));
    return Buffer.from(tree.root());
  });
  const header = formatHeader({ from, frontier, checkpoint: checkpoint(size), key: KEY });
  return [header, ...LEAVES.slice(from, size).map((leaf, at) => line(from + at, leaf))];
}

async function allOf(lines: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = [];
  for await (const each of lines) all.push(each);
  return all;
}

async function outcome(
  lines: readonly string[],
  trusted: { key?: string; since?: string } = {},
): Promise<string> {
  try {
    const { size } = await verifyLog(lines, { key: trusted.key, since: trusted.since });
    return `${size} hold`;
  } catch (error) {
    if (isSallyportError(error)) return `${error.code}: ${error.message}`;
    throw error;
  }
}

describe("verifying an export of the audit log", () => {
  it("holds from every entry on, with every earlier checkpoint", async () => {
    for (let from = 0; from <= LEAVES.length; from++) {
      for (let since = from; since <= LEAVES.length; since++)
        assert.equal(await outcome(exported(from), { key: KEY, since: checkpoint(since) }), "13 hold");
    }
    assert.equal(await outcome(exported(0, 0)), "0 hold");
  });

  const changed = LEAVES.with(4, LEAVES[4]?.replace("4", "5") ?? "");
  const mallory = generateKeyPairSync("ed25519").privateKey;
  const malloryKey = formatVerifierKey({ name: ORIGIN, key: createPublicKey(mallory) });
  const lines = exported();
  const rows: [
    what: string,
    lines: string[],
    expected: RegExp,
    trusted?: { key?: string; since?: string },
  ][] = [
    [
      "an entry that was changed",
      lines.with(5, (lines[5] ?? "").replace('"n":4', '"n":5')),
      /^log-inconsistent: Entry 4 was changed/,
    ],
    [
      "an entry that was changed with its hash",
      lines.with(5, line(4, changed[4] ?? "")),
      /inconsistent: .*signed/,
    ],
    [
      "one changed with its hash, behind an earlier checkpoint",
      lines.with(5, line(4, changed[4] ?? "")),
      /from number 3 on/,
      { since: checkpoint(3) },
    ],
    ["an entry that was taken out", lines.toSpliced(5, 1), /^log-inconsistent: Entry 4 is missing: number 5/],
    ["an end that was cut off", lines.slice(0, -2), /^log-inconsistent: Entry 11 is missing: the end/],
    ["an entry that was added", [...lines, line(13, "{}")], /^log-inconsistent: Entry 13 was added/],
    ["two entries exchanged", lines.with(5, lines[6] ?? "").with(6, lines[5] ?? ""), /Entry 4 is missing/],
    ["a line that is damaged", lines.with(5, "{}"), /^log-inconsistent: Entry 4 is damaged/],
    ["a header that is none", lines.with(0, "{}"), /^log-malformed/],
    ["nothing", [], /^log-malformed: .*empty/],
    [
      "a frontier that does not fit",
      lines.with(0, (exported(3)[0] ?? "").replace('"from":3', '"from":4')),
      /^log-malformed/,
    ],
    [
      "a beginning past the end",
      [(exported(13)[0] ?? "").replace('"from":13', '"from":14')],
      /^log-malformed/,
    ],
    ["another key", lines, /^log-bad-signature/, { key: malloryKey }],
    [
      "everything made anew with another key, where the key is known",
      [
        formatHeader({
          from: 0,
          frontier: [],
          checkpoint: checkpoint(13, changed, mallory),
          key: malloryKey,
        }),
        ...changed.map((leaf, index) => line(index, leaf)),
      ],
      /^log-bad-signature/,
      { key: KEY },
    ],
    [
      "a history changed before an earlier checkpoint",
      [
        formatHeader({ from: 0, frontier: [], checkpoint: checkpoint(13, changed), key: KEY }),
        ...changed.map((leaf, index) => line(index, leaf)),
      ],
      /^log-inconsistent: The history was changed: the first 6 entries/,
      { since: checkpoint(6) },
    ],
    [
      "a log that has become shorter",
      exported(0, 8),
      /^log-inconsistent: The log has become shorter/,
      { since: checkpoint(9) },
    ],
    [
      "an earlier checkpoint before the export",
      exported(8),
      /^usage: .*--from 7 or less/,
      { since: checkpoint(7) },
    ],
  ];
  for (const [what, altered, expected, trusted] of rows) {
    it(`finds ${what}`, async () => assert.match(await outcome(altered, trusted), expected));
  }

  it("finds any byte that was changed, in a file", async () => {
    const directory = mkdtempSync(join(tmpdir(), "sallyport-log-"));
    try {
      const file = join(directory, "audit.jsonl");
      const bytes = Buffer.from(`${lines.join("\n")}\n`);
      writeFileSync(file, bytes);
      const verifyFile = async () => outcome(await allOf(readLines(file)), { key: KEY });
      assert.equal(await verifyFile(), "13 hold");
      // What the header says of the key is not used here, and its form is not signed: the entries are.
      const start = Buffer.byteLength(lines[0] ?? "") + 1;
      // Bytes that are no UTF-8 are not decoded into something that could be.
      const replaced = Buffer.concat([
        bytes.subarray(0, start),
        Buffer.from([0xff]),
        bytes.subarray(start + 1),
      ]);
      writeFileSync(file, replaced);
      assert.match(await verifyFile(), /^log-inconsistent: Entry 0 is damaged/);
      await fc.assert(
        fc.asyncProperty(
          fc.integer({ min: start, max: bytes.length - 2 }),
          fc.integer({ min: 1, max: 255 }),
          async (at, change) => {
            const altered = Buffer.from(bytes);
            altered[at] = (altered[at] ?? 0) ^ change;
            writeFileSync(file, altered);
            assert.match(await verifyFile(), /^log-inconsistent: Entry \d+ /);
          },
        ),
        { numRuns: 300 },
      );
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it("takes an earlier checkpoint from a saved one or from an export, and reads no endless line", async () => {
    const directory = mkdtempSync(join(tmpdir(), "sallyport-log-"));
    try {
      const file = join(directory, "earlier");
      for (const text of [checkpoint(5), exported(2, 5).join("\n")]) {
        writeFileSync(file, text);
        assert.equal(earlierCheckpoint(file), checkpoint(5));
      }
      writeFileSync(file, Buffer.alloc(MAX_LINE + 200_000, "x"));
      await assert.rejects(allOf(readLines(file)), /line that is too long/);
      assert.throws(() => earlierCheckpoint(join(directory, "nothing")), /cannot be read/);
      await assert.rejects(allOf(readLines(join(directory, "nothing"))), /cannot be read/);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
