import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey, generateKeyPairSync } from "node:crypto";
import { isSallyportError } from "@sallyport/core/errors.ts";
import { openCheckpoint, parseCheckpoint, signCheckpoint } from "@sallyport/core/transparency/checkpoint.ts";
import { EMPTY_ROOT, leafHash } from "@sallyport/core/transparency/hashing.ts";
import {
  formatVerifierKey,
  openNote,
  parseVerifierKey,
  signNote,
} from "@sallyport/core/transparency/signed-note.ts";
import fc from "fast-check";

/** The example of golang.org/x/mod/sumdb/note: keys, text and signature. */
const GO = {
  key: "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
  seed: "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz",
  text: "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n",
  signature:
    "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n",
};
const GO_NOTE = `${GO.text}\n${GO.signature}`;
const GO_PRIVATE = createPrivateKey({
  format: "der",
  type: "pkcs8",
  key: Buffer.concat([
    Buffer.from("302e020100300506032b657004220420", "hex"),
    Buffer.from(GO.seed, "base64").subarray(1),
  ]),
});

const { privateKey } = generateKeyPairSync("ed25519");
const ORIGIN = "sallyport.example.com/audit";
const VERIFIER = { name: ORIGIN, key: createPublicKey(privateKey) };
const codeOf = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    if (isSallyportError(error)) return error.code;
    throw error;
  }
  return "none";
};

describe("a signed note of C2SP", () => {
  it("is opened as Go signed it", () => {
    assert.equal(openNote(GO_NOTE, parseVerifierKey(GO.key)), GO.text);
  });

  it("is signed as Go signs it, byte for byte", () => {
    assert.equal(signNote(GO.text, "PeterNeumann", GO_PRIVATE), GO_NOTE);
    assert.equal(formatVerifierKey({ name: "PeterNeumann", key: createPublicKey(GO_PRIVATE) }), GO.key);
  });

  it("may have other signatures beside", () => {
    const both = `${signNote(GO.text, ORIGIN, privateKey)}${GO.signature}`;
    assert.equal(openNote(both, VERIFIER), GO.text);
    assert.equal(openNote(both, parseVerifierKey(GO.key)), GO.text);
  });

  it("is not opened with another key of the same name", () => {
    const other = { name: "PeterNeumann", key: VERIFIER.key };
    assert.equal(
      codeOf(() => openNote(GO_NOTE, other)),
      "log-bad-signature",
    );
  });

  it("is not opened when any byte of it is another", () => {
    const bytes = Buffer.from(GO_NOTE);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const altered = Buffer.from(bytes);
        altered[at] = (altered[at] ?? 0) ^ change;
        assert.match(
          codeOf(() => openNote(altered.toString("utf8"), parseVerifierKey(GO.key))),
          /^log-/,
        );
      }),
      { numRuns: 500 },
    );
  });

  const malformed: [string, string][] = [
    ["without a blank line", GO_NOTE.replace("\n\n", "\n")],
    ["without a signature", `${GO.text}\n`],
    ["without its last newline", GO_NOTE.slice(0, -1)],
    ["with a control character", GO_NOTE.replace("think", "thi\u001bk")],
    ["with a hyphen for the dash", GO_NOTE.replace("\u2014", "-")],
    ["with base64 written otherwise", GO_NOTE.replace("nAM=", "nAN=")],
    ["longer than any note", `${"x".repeat(70_000)}${GO_NOTE}`],
    ["with more signatures than any note", `${GO_NOTE}${GO.signature.repeat(64)}`],
  ];
  for (const [what, note] of malformed) {
    it(`is refused ${what}`, () =>
      assert.equal(
        codeOf(() => openNote(note, parseVerifierKey(GO.key))),
        "log-malformed",
      ));
  }

  const keys: [string, string][] = [
    ["with another id", GO.key.replace("c74f20a3", "c74f20a4")],
    ["with another name", GO.key.replace("Peter", "Paul")],
    ["with another key", GO.key.replace("ARpc", "ARpd")],
    // Both with the id that belongs to them.
    ["of another algorithm", "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"],
    ["of another length", "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY=="],
    ["without a name", "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"],
    ["that is something else", "ssh-ed25519 AAAA"],
  ];
  for (const [what, key] of keys) {
    it(`is not verified by a key ${what}`, () =>
      assert.equal(
        codeOf(() => parseVerifierKey(key)),
        "log-malformed",
      ));
  }

  it("has no name and no text that no note can have", () => {
    for (const name of ["", "a b", "a+b", "a\nb", "a\u00a0b"])
      assert.throws(() => signNote("text\n", name, privateKey), TypeError);
    for (const text of ["", "no newline", "tab\t\n", "\ud800\n"])
      assert.throws(() => signNote(text, ORIGIN, privateKey), TypeError);
  });
});

describe("a checkpoint of C2SP", () => {
  const checkpoint = { origin: ORIGIN, size: 20852163, root: leafHash("x"), extensions: [] };

  it("is what was signed", () => {
    const note = signCheckpoint(checkpoint, privateKey);
    assert.deepEqual(note.split("\n").slice(0, 4), [
      ORIGIN,
      "20852163",
      Buffer.from(checkpoint.root).toString("base64"),
      "",
    ]);
    const opened = openCheckpoint(note, VERIFIER);
    assert.deepEqual(
      { ...opened, root: new Uint8Array(opened.root) },
      {
        ...checkpoint,
        root: new Uint8Array(checkpoint.root),
      },
    );
  });

  it("is read from the specification's example, extension lines too", () => {
    const text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    const { origin, size, extensions } = parseCheckpoint(text);
    assert.deepEqual([origin, size, extensions], ["example.com/behind-the-sofa", 20852163, []]);
    assert.deepEqual(parseCheckpoint(`${text}more\n`).extensions, ["more"]);
  });

  it("of the empty tree has size 0", () => {
    const note = signCheckpoint({ ...checkpoint, size: 0, root: EMPTY_ROOT }, privateKey);
    assert.equal(openCheckpoint(note, VERIFIER).size, 0);
  });

  it("of another log is refused, though the key signed it", () => {
    const text = `other.example/log\n1\n${Buffer.from(EMPTY_ROOT).toString("base64")}\n`;
    assert.equal(
      codeOf(() => openCheckpoint(signNote(text, ORIGIN, privateKey), VERIFIER)),
      "log-malformed",
    );
  });

  const root = Buffer.from(EMPTY_ROOT).toString("base64");
  const malformed: [string, string][] = [
    ["too few lines", `o\n1\n`],
    ["no origin", `\n1\n${root}\n`],
    ["a leading zero", `o\n01\n${root}\n`],
    ["a sign", `o\n-1\n${root}\n`],
    ["a size past 2^53", `o\n9007199254740993\n${root}\n`],
    ["a short root", `o\n1\nAAAA\n`],
    ["a root in base64url", `o\n1\n${root.replaceAll("/", "_")}\n`],
    ["no last newline", `o\n1\n${root}`],
  ];
  for (const [what, text] of malformed) {
    it(`is refused with ${what}`, () =>
      assert.equal(
        codeOf(() => parseCheckpoint(text)),
        "log-malformed",
      ));
  }

  it("cannot be made of more lines than it says", () => {
    for (const origin of ["", "evil\n999"])
      assert.throws(() => signCheckpoint({ ...checkpoint, origin }, privateKey), TypeError);
    assert.throws(() => signCheckpoint({ ...checkpoint, extensions: [""] }, privateKey), TypeError);
    assert.throws(() => signCheckpoint({ ...checkpoint, size: 1.5 }, privateKey), TypeError);
  });
});
