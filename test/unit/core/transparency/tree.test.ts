import assert from "node:assert/strict";
import { GrowingTree } from "@sallyport/core/transparency/growing-tree.ts";
import { EMPTY_ROOT, leafHash } from "@sallyport/core/transparency/hashing.ts";
import {
  consistencyRanges,
  inclusionRanges,
  proofOf,
  subtreesFor,
} from "@sallyport/core/transparency/proofs.ts";
import {
  appendLeaf,
  rangeHash,
  type Subtree,
  subtreesOf,
  subtreesToMerge,
} from "@sallyport/core/transparency/subtrees.ts";
import { holdsConsistency, holdsInclusion } from "@sallyport/core/transparency/verify-proof.ts";
import fc from "fast-check";
import { naivePath, naiveProof, naiveRoot } from "./naive-tree.ts";

const hex = (hash: Uint8Array) => Buffer.from(hash).toString("hex");

/** The leaves, roots and proofs that the reference implementation of Certificate Transparency is tested with. */
const LEAVES = [
  ...["", "00", "10", "2021", "3031", "40414243", "5051525354555657"],
  "606162636465666768696a6b6c6d6e6f",
].map((text) => Buffer.from(text, "hex"));
const ROOTS = [
  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];
const CONSISTENCY: [number, number, string[]][] = [
  [1, 1, []],
  [
    1,
    8,
    [
      "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
      "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
      "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
  ],
  [
    6,
    8,
    [
      "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
      "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
  ],
  [
    2,
    5,
    [
      "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
      "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
  ],
];

/** Stored subtrees, filled leaf by leaf. */
class Stored {
  readonly hashes = new Map<string, Uint8Array>();
  reads = 0;
  size = 0;

  constructor(leaves: readonly Uint8Array[]) {
    for (const leaf of leaves) {
      for (const { hash, ...where } of appendLeaf(this.size, leafHash(leaf), this.read)) {
        assert.ok(!this.hashes.has(this.#key(where)), "a subtree is stored once");
        this.hashes.set(this.#key(where), hash);
      }
      this.size++;
    }
  }

  readonly read = (subtree: Subtree): Uint8Array => {
    this.reads++;
    const hash = this.hashes.get(this.#key(subtree));
    assert.ok(hash, `subtree ${this.#key(subtree)} is stored`);
    return hash;
  };

  #key({ level, index }: Subtree): string {
    return `${level}/${index}`;
  }
}

describe("the Merkle tree of RFC 6962", () => {
  it("has the roots of Certificate Transparency's own tests", () => {
    const stored = new Stored(LEAVES);
    for (const [size, root] of ROOTS.entries())
      assert.equal(hex(rangeHash({ begin: 0, end: size }, stored.read)), root, `size ${size}`);
    assert.equal(hex(EMPTY_ROOT), ROOTS[0]);
  });

  it("has their consistency proofs", () => {
    const stored = new Stored(LEAVES);
    for (const [from, to, proof] of CONSISTENCY)
      assert.deepEqual(proofOf(consistencyRanges(from, to), stored.read).map(hex), proof, `${from} to ${to}`);
  });

  const trees = fc.array(fc.uint8Array({ maxLength: 6 }), { maxLength: 70 });

  it("has the root that the definition gives, at every size, stored or kept as it grows", () => {
    fc.assert(
      fc.property(trees, (leaves) => {
        const stored = new Stored(leaves);
        const growing = new GrowingTree();
        for (let size = 0; size <= leaves.length; size++) {
          const root = hex(naiveRoot(leaves.slice(0, size)));
          assert.equal(hex(rangeHash({ begin: 0, end: size }, stored.read)), root);
          assert.equal(hex(growing.root()), root);
          const frontier = subtreesOf({ begin: 0, end: size }).map(stored.read);
          assert.equal(hex(new GrowingTree(size, frontier).root()), root);
          const leaf = leaves[size];
          if (leaf !== undefined) growing.append(leafHash(leaf));
        }
      }),
      { numRuns: 40 },
    );
  });

  it("has the inclusion proofs that the definition gives, and they hold for nothing else", () => {
    fc.assert(
      fc.property(trees, fc.nat(), fc.nat(), fc.nat(), (leaves, a, b, c) => {
        fc.pre(leaves.length > 0);
        const size = 1 + (a % leaves.length);
        const index = b % size;
        const some = leaves.slice(0, size);
        const stored = new Stored(leaves);
        const proof = proofOf(inclusionRanges(index, size), stored.read);
        assert.deepEqual(proof.map(hex), naivePath(index, some).map(hex));
        const leaf = { index, hash: leafHash(leaves[index] ?? "") };
        const tree = { size, root: naiveRoot(some) };
        assert.ok(holdsInclusion(leaf, proof, tree));
        assert.ok(!holdsInclusion({ ...leaf, hash: leafHash("another") }, proof, tree));
        assert.ok(!holdsInclusion(leaf, [...proof, leaf.hash], tree));
        assert.ok(!holdsInclusion({ ...leaf, index: size }, proof, tree));
        if (proof.length > 0) {
          assert.ok(!holdsInclusion(leaf, proof.slice(1), tree));
          assert.ok(!holdsInclusion(leaf, proof.with(c % proof.length, leafHash("another")), tree));
          assert.ok(!holdsInclusion(leaf, proof, { size, root: leafHash("another") }));
        }
      }),
    );
  });

  it("has the consistency proofs that the definition gives, and they hold for nothing else", () => {
    fc.assert(
      fc.property(trees, fc.nat(), fc.nat(), fc.nat(), (leaves, a, b, c) => {
        fc.pre(leaves.length > 0);
        const to = 1 + (a % leaves.length);
        const from = 1 + (b % to);
        const stored = new Stored(leaves);
        const proof = proofOf(consistencyRanges(from, to), stored.read);
        assert.deepEqual(proof.map(hex), naiveProof(from, leaves.slice(0, to)).map(hex));
        const earlier = { size: from, root: naiveRoot(leaves.slice(0, from)) };
        const later = { size: to, root: naiveRoot(leaves.slice(0, to)) };
        assert.ok(holdsConsistency(earlier, later, proof));
        assert.ok(!holdsConsistency(earlier, { ...later, root: leafHash("another") }, proof));
        assert.ok(!holdsConsistency({ ...earlier, root: leafHash("another") }, later, proof));
        assert.ok(!holdsConsistency(earlier, later, [...proof, later.root]));
        if (proof.length > 0) {
          assert.ok(!holdsConsistency(earlier, later, proof.slice(0, -1)));
          assert.ok(!holdsConsistency(earlier, later, proof.with(c % proof.length, leafHash("another"))));
        }
      }),
    );
  });

  it("begins with the empty tree, and with no larger one", () => {
    const empty = { size: 0, root: EMPTY_ROOT };
    const later = { size: 3, root: naiveRoot(LEAVES.slice(0, 3)) };
    assert.ok(holdsConsistency(empty, later, []));
    assert.ok(holdsConsistency(empty, empty, []));
    assert.ok(!holdsConsistency({ ...empty, root: later.root }, later, []));
    assert.ok(!holdsConsistency(later, empty, []));
    for (const size of [-1, 0.5, Number.NaN, 2 ** 53]) {
      assert.ok(!holdsConsistency({ ...empty, size }, later, []));
      assert.ok(!holdsInclusion({ index: size, hash: later.root }, [], later));
    }
  });

  it("reads and writes few subtrees, also of a tree that is too large for 32 bits", () => {
    const size = 2 ** 40 + 2 ** 20 + 3;
    assert.deepEqual(subtreesOf({ begin: 0, end: size }), [
      { level: 40, index: 0 },
      { level: 20, index: 2 ** 20 },
      { level: 1, index: 2 ** 39 + 2 ** 19 },
      { level: 0, index: 2 ** 40 + 2 ** 20 + 2 },
    ]);
    assert.equal(subtreesToMerge(2 ** 45 - 1).length, 45);
    assert.ok(subtreesFor(inclusionRanges(2 ** 40 - 1, size)).length <= 2 * 41);
    assert.ok(subtreesFor(consistencyRanges(2 ** 39 + 1, size)).length <= 2 * 41);
  });

  it("has the callers' mistakes for what they are", () => {
    assert.throws(() => inclusionRanges(3, 3), TypeError);
    assert.throws(() => consistencyRanges(4, 3), TypeError);
    assert.throws(() => subtreesOf({ begin: 1, end: 3 }), TypeError);
    assert.throws(() => subtreesToMerge(0.5), TypeError);
    assert.throws(() => new GrowingTree(3, [EMPTY_ROOT]), TypeError);
  });
});
