import assert from "node:assert/strict";
import { RevocationIndex } from "@sallyport/core/policy/revocation.ts";
import { makeRevocation } from "./scenario.ts";

const subject = {
  ...{ certificateSerial: "1", keyFingerprint: "2", memberId: "3", engagementId: "4" },
  ...{ issuer: "https://idp.example", subject: "7", vendors: ["vendor"], signedInAt: 1000 },
};

describe("the revocation index", () => {
  it("knows the highest sequence, whatever the order", () => {
    const index = new RevocationIndex([makeRevocation("key", "a", 7)]);
    index.add(makeRevocation("key", "b", 3));
    assert.equal(index.sequence, 7);
    assert.equal(index.size, 2);
  });

  it("holds an entry once, however often it comes", () => {
    const index = new RevocationIndex();
    for (let i = 0; i < 3; i++) index.add(makeRevocation("key", "2"));
    assert.equal(index.size, 1);
  });

  it("finds nothing when it is empty", () => {
    assert.equal(new RevocationIndex().find({ ...subject, sessionId: "5" }), undefined);
  });

  it("gives the narrowest entry of several", () => {
    const index = new RevocationIndex();
    const levels = [
      ["engagement", "4"],
      ["member", "3"],
      ["session", "5"],
      ["key", "2"],
      ["certificate", "1"],
    ] as const;
    for (const [level, target] of levels) {
      index.add(makeRevocation(level, target));
      assert.equal(index.find({ ...subject, sessionId: "5" })?.level, level);
    }
  });

  it("does not take one level's target for another's", () => {
    const index = new RevocationIndex([makeRevocation("key", "1"), makeRevocation("member", "4")]);
    assert.equal(index.find(subject), undefined);
  });
});
