import assert from "node:assert/strict";
import { appendFileSync, existsSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { RevocationList } from "@sallyport/agent/policy/revocation-list.ts";
import { takeRevocations } from "@sallyport/agent/policy/take-revocations.ts";
import type { Revocation } from "@sallyport/core/policy/revocation.ts";
import { chainRevocation } from "@sallyport/core/policy/revocation-chain.ts";
import { id, NOW } from "../../core/policy/scenario.ts";
import { temporaryDirectory } from "../support/temporary.ts";

/** The control plane's list: its entries, and the chain at each number. */
class Theirs {
  readonly entries: Revocation[] = [];
  readonly chains = [""];

  revoke(target: string, before: number | null = null, level: Revocation["level"] = "member"): Revocation {
    const sequence = this.entries.length + 1;
    const entry = {
      ...{ id: `rev_${String(sequence).padStart(26, "0")}`, sequence, level, target, before },
      ...{ at: NOW + sequence, by: "sam@company.test", reason: `because of ${sequence}` },
    } as Revocation;
    this.entries.push(entry);
    this.chains.push(chainRevocation(this.chains.at(-1) ?? "", entry));
    return entry;
  }

  message(after: number, to = this.entries.length) {
    const entries = this.entries.slice(after, to);
    return { type: "revocations" as const, after, entries, sequence: this.entries.length };
  }

  get named() {
    return { sequence: this.entries.length, chain: this.chains.at(-1) ?? "" };
  }
}

describe("the revocation list on a host", () => {
  const directory = temporaryDirectory();
  const path = () => directory.file("list");
  let theirs: Theirs;
  beforeEach(() => {
    theirs = new Theirs();
  });

  const open = (marks: number[] = []): RevocationList => {
    const list = new RevocationList(path());
    list.load(marks);
    return list;
  };
  const found = (list: RevocationList, memberId: string, signedInAt: number | null = NOW) =>
    list.find({
      ...{ issuer: "", subject: "", vendors: [], signedInAt, certificateSerial: "", keyFingerprint: "" },
      ...{ engagementId: "", memberId },
    });
  const revoked = (list: RevocationList, ...members: string[]) =>
    members.filter((member) => found(list, member) !== undefined);
  const [A, B, C] = [id("mem", "a"), id("mem", "b"), id("mem", "c")];

  it("is empty at first, and needs no file for that", () => {
    const list = open();
    assert.deepEqual([list.sequence, list.chain, list.size], [0, "", 0]);
    assert.equal(list.standing({ sequence: 0, chain: "" }), "same");
    assert.ok(!existsSync(path()));
  });

  it("has what followed one another, with all that is said of it, after a restart too, for root's eyes only", () => {
    const list = open();
    theirs.revoke(A);
    assert.equal(takeRevocations(list, theirs.message(0)), "stored");
    theirs.revoke(B, NOW + 5);
    theirs.revoke("5", null, "certificate");
    assert.equal(takeRevocations(list, theirs.message(1)), "stored");
    for (const one of [list, open()]) {
      assert.deepEqual([one.sequence, one.chain], [3, theirs.named.chain]);
      assert.deepEqual(found(one, A), theirs.entries[0]);
      assert.deepEqual(found(one, B), theirs.entries[1]);
      assert.equal(found(one, B, NOW + 5), undefined, "who signed in since is welcome");
      assert.deepEqual(found(one, B, null), theirs.entries[1], "a session of before the field existed");
      assert.equal(one.standing(theirs.named), "same");
      assert.equal(one.standing({ sequence: 2, chain: theirs.chains[2] ?? "" }), "same");
      assert.equal(one.standing({ sequence: 2, chain: theirs.chains[1] ?? "" }), "differs");
      assert.equal(one.standing({ sequence: 4, chain: "x" }), "behind");
    }
    assert.equal(statSync(path()).mode & 0o777, 0o600);
  });

  it("takes what it has already without another effect", () => {
    const list = open();
    theirs.revoke(A);
    theirs.revoke(B);
    takeRevocations(list, theirs.message(0));
    const bytes = readFileSync(path());
    assert.equal(takeRevocations(list, theirs.message(1)), "stored");
    assert.equal(takeRevocations(list, theirs.message(2)), "stored");
    assert.deepEqual(readFileSync(path()), bytes);
    assert.equal(takeRevocations(list, theirs.message(0)), "stored", "the whole list, the same one");
    assert.deepEqual([list.sequence, list.chain, list.unvouched], [2, theirs.named.chain, 0]);
    assert.deepEqual(readFileSync(path()), bytes);
  });

  it("has a gap in force as far as it narrows, and asks for what is before it", () => {
    const list = open();
    theirs.revoke(A);
    takeRevocations(list, theirs.message(0));
    theirs.revoke(B);
    theirs.revoke(C);
    assert.equal(takeRevocations(list, theirs.message(2)), "gap");
    assert.deepEqual([list.sequence, revoked(list, A, B, C)], [1, [A, C]]);
    assert.equal(open().sequence, 1);
    assert.equal(takeRevocations(list, theirs.message(1)), "stored");
    assert.deepEqual([list.sequence, revoked(list, A, B, C), list.size], [3, [A, B, C], 3]);
  });

  for (const [what, change] of [
    ["that begin elsewhere", (entries: Revocation[]) => entries.slice(1)],
    ["with one left out", (entries: Revocation[]) => entries.toSpliced(1, 1)],
    ["in another order", (entries: Revocation[]) => entries.toReversed()],
    ["one twice", (entries: Revocation[]) => entries.flatMap((entry) => [entry, entry])],
  ] as const) {
    it(`takes no entries ${what}`, () => {
      const list = open();
      for (const target of [A, B, C]) theirs.revoke(target);
      const message = theirs.message(0);
      assert.equal(takeRevocations(list, { ...message, entries: change(message.entries) }), "malformed");
      assert.deepEqual([list.sequence, list.size], [0, 0]);
    });
  }

  it("knows the chain of the last thousands and of marked numbers, and says where it does not", () => {
    const list = open();
    for (let count = 0; count < 6000; count++) theirs.revoke(id("mem", "a"));
    for (let after = 0; after < 6000; after += 2000)
      takeRevocations(list, theirs.message(after, after + 2000));
    const at = (sequence: number) => ({ sequence, chain: theirs.chains[sequence] ?? "" });
    assert.equal(list.standing(at(5000)), "same");
    assert.equal(list.standing(at(100)), "unknown");
    assert.equal(open([100]).standing(at(100)), "same");
    assert.equal(list.size, 1);
  });

  describe("gives back", () => {
    it("nothing on the say of the link: only once a signed document names the list with it", () => {
      const list = open();
      theirs.revoke(A);
      takeRevocations(list, theirs.message(0));
      list.vouch(1, NOW, true);
      theirs.revoke(A, NOW);
      takeRevocations(list, theirs.message(1));
      for (const one of [list, open()]) {
        assert.deepEqual([one.sequence, revoked(one, A), one.unvouched], [2, [A], 1]);
        assert.equal(one.vouch(1, NOW + 10, true), false, "a document of before it");
        assert.deepEqual(revoked(one, A), [A]);
        assert.equal(one.vouch(2, NOW + 10, true), true);
        assert.deepEqual([revoked(one, A), one.unvouched], [[], 0]);
        assert.equal(found(one, A, NOW - 1)?.sequence, 2, "but not what hung on sign-ins of before");
      }
    });

    it("what was taken again in between stays taken", () => {
      const list = open();
      theirs.revoke(A);
      theirs.revoke(B);
      takeRevocations(list, theirs.message(0));
      theirs.revoke(A, NOW);
      theirs.revoke(A);
      theirs.revoke(B, NOW - 10);
      theirs.revoke(B, NOW - 5);
      takeRevocations(list, theirs.message(2));
      list.vouch(5, NOW + 10, true);
      assert.deepEqual(revoked(list, A), [A]);
      // The last one takes more than what counts now, though nobody has signed for it.
      assert.equal(found(list, B, NOW - 6)?.sequence, 6);
      assert.equal(found(list, B, NOW), undefined);
      assert.equal(list.unvouched, 0);
    });
  });

  describe("is replaced by a whole one", () => {
    /** Three that are revoked here, and a control plane whose list is another one: C is not in it. */
    const replaced = () => {
      const list = open();
      for (const target of [A, B, C]) theirs.revoke(target);
      takeRevocations(list, theirs.message(0));
      list.vouch(3, NOW, true);
      const other = new Theirs();
      other.revoke(B);
      other.revoke(A);
      return { list, other };
    };

    it("only when it is complete, and until then both are in force", () => {
      const { list, other } = replaced();
      const extra = [id("mem", "4"), id("mem", "5")];
      for (const target of extra) other.revoke(target);
      assert.equal(takeRevocations(list, other.message(0, 2)), "going-on");
      assert.deepEqual([list.sequence, list.chain], [3, theirs.named.chain]);
      assert.equal(takeRevocations(list, { ...other.message(2, 4), sequence: 5 }), "going-on");
      assert.deepEqual(revoked(list, A, B, C, ...extra), [A, B, C, extra[1]], "what is new is in force");
      assert.equal(open().sequence, 3, "a restart in between");
      other.revoke(id("mem", "6"));
      assert.equal(takeRevocations(list, other.message(4)), "stored");
      assert.deepEqual([list.sequence, list.chain], [5, other.named.chain]);
    });

    it("and what the old one had stays in force until a document of later is signed for the new one", () => {
      const { list, other } = replaced();
      takeRevocations(list, other.message(0));
      assert.deepEqual([list.sequence, list.chain], [2, other.named.chain]);
      for (const one of [list, open()]) {
        assert.deepEqual(revoked(one, A, B, C), [A, B, C]);
        assert.equal(one.vouch(2, NOW + 3, true), false, "signed before the last of them was made, or then");
        assert.equal(one.vouch(2, NOW + 9, false), false, "not the newest that was signed");
        assert.deepEqual(revoked(one, A, B, C), [A, B, C]);
      }
      const again = open();
      assert.equal(again.vouch(2, NOW + 4, true), true);
      for (const one of [again, open()]) assert.deepEqual(revoked(one, A, B, C), [A, B]);
    });

    it("again and again, and nothing of the first is lost by that", () => {
      const { list, other } = replaced();
      const empty = new Theirs();
      for (const one of [other, empty, other, empty]) takeRevocations(list, one.message(0));
      assert.equal(list.sequence, 0);
      for (const one of [list, open()]) assert.deepEqual(revoked(one, A, B, C), [A, B, C]);
    });

    it("which lifts nothing that the old one had, nor what came by itself since", () => {
      const { list, other } = replaced();
      other.revoke(A, NOW);
      other.revoke(C, NOW);
      theirs.revoke(id("mem", "4"));
      takeRevocations(list, theirs.message(3));
      other.revoke(id("mem", "4"), NOW);
      takeRevocations(list, other.message(0));
      assert.deepEqual(revoked(list, A, B, C, id("mem", "4")), [A, B, C, id("mem", "4")]);
      list.vouch(5, NOW + 10, true);
      assert.deepEqual(revoked(list, A, B, C, id("mem", "4")), [B]);
    });

    it("that begins anew, and one that was cut off is forgotten", () => {
      const { list, other } = replaced();
      takeRevocations(list, other.message(0, 1));
      takeRevocations(list, other.message(0, 1));
      assert.equal(takeRevocations(list, other.message(1)), "stored");
      assert.equal(list.chain, other.named.chain);
      const third = new Theirs();
      for (const target of [C, B, A]) third.revoke(target);
      takeRevocations(list, third.message(0, 2));
      list.abandonWhole();
      assert.ok(!existsSync(`${path()}.new`));
      assert.equal(list.chain, other.named.chain);
    });

    it("while entries of the old one go on coming", () => {
      const { list, other } = replaced();
      takeRevocations(list, other.message(0, 1));
      theirs.revoke(id("mem", "4"));
      assert.equal(takeRevocations(list, theirs.message(3)), "stored");
      assert.deepEqual(revoked(list, id("mem", "4")), [id("mem", "4")]);
      assert.equal(takeRevocations(list, other.message(1)), "stored");
      assert.deepEqual(revoked(list, A, B, C, id("mem", "4")), [A, B, C, id("mem", "4")]);
    });
  });

  describe("after a crash", () => {
    const three = () => {
      const list = open();
      for (const target of [A, B, C]) theirs.revoke(target);
      takeRevocations(list, theirs.message(0));
    };

    it("at every byte has what was whole, and goes on from there", () => {
      three();
      const whole = readFileSync(path());
      const ends = [...whole.keys()].filter((at) => whole[at] === 10).map((at) => at + 1);
      for (let length = 0; length <= whole.length; length += 7) {
        writeFileSync(path(), whole);
        truncateSync(path(), length);
        const list = open();
        const had = ends.filter((end) => end <= length).length;
        assert.deepEqual([list.sequence, list.chain], [had, theirs.chains[had]]);
        assert.equal(takeRevocations(list, theirs.message(had === 0 ? 0 : had)), "stored");
        for (const one of [list, open()])
          assert.deepEqual(
            [one.sequence, one.chain, revoked(one, A, B, C)],
            [3, theirs.named.chain, [A, B, C]],
          );
        assert.deepEqual(readFileSync(path()), whole);
      }
    });

    it("with rubbish at its end, as a disk without power leaves it, likewise", () => {
      three();
      for (const rubbish of ["\0".repeat(500), `${"\0".repeat(100)}\n`, "{}\n", "null\n", "{\n\n"]) {
        appendFileSync(path(), rubbish);
        const list = open();
        assert.deepEqual([list.sequence, revoked(list, A, B, C)], [3, [A, B, C]]);
        theirs.revoke(A);
        takeRevocations(list, theirs.message(3));
        assert.deepEqual([open().sequence, open().chain], [4, theirs.named.chain]);
        truncateSync(path(), readFileSync(path()).lastIndexOf(10, -2) + 1);
        theirs.entries.pop();
        theirs.chains.pop();
      }
    });

    it("with a hole in it ends before the hole; what is behind is in force all the same until it comes again", () => {
      three();
      const bytes = readFileSync(path());
      bytes.fill(0, bytes.indexOf(10) + 5, bytes.indexOf(10) + 25);
      writeFileSync(path(), bytes);
      const list = open();
      assert.deepEqual([list.sequence, list.chain], [1, theirs.chains[1]]);
      assert.deepEqual(revoked(list, A, B, C), [A, C]);
      assert.equal(list.standing(theirs.named), "behind", "so no lease counts");
      takeRevocations(list, theirs.message(1));
      assert.deepEqual([open().chain, revoked(open(), A, B, C)], [theirs.named.chain, [A, B, C]]);
    });

    it("with an entry changed by a letter is another list than the one that is signed for", () => {
      three();
      writeFileSync(path(), readFileSync(path(), "utf8").replace(B, id("mem", "7")));
      assert.equal(open().standing(theirs.named), "differs");
    });
  });

  it("says that somebody is revoked though the line that says why is gone", () => {
    const list = open();
    theirs.revoke(A);
    takeRevocations(list, theirs.message(0));
    truncateSync(path(), 0);
    assert.equal(found(list, A)?.target, A);
  });
});
