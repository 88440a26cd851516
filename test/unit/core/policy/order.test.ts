import assert from "node:assert/strict";
import { BREAKS } from "./breaks.ts";
import { codeOf, decide, makeScenario } from "./scenario.ts";

describe("the order of the checks of a login", () => {
  it("ends in admission when every check holds", () => {
    const decision = decide(makeScenario());
    assert.equal(decision.outcome, "admit");
    assert.equal(decision.member?.name, "Alice");
    assert.equal(decision.engagement?.name, "acme-db");
  });

  for (const [code, breaks] of BREAKS) {
    it(`gives ${code} when that check alone fails, and says what to do`, () => {
      const scenario = makeScenario();
      breaks(scenario);
      const decision = decide(scenario);
      assert.equal(decision.outcome, "refuse");
      assert.equal(decision.refusal.code, code);
      assert.ok(decision.refusal.detail);
      assert.match(decision.refusal.told ?? "", /^[A-Z].{20,}/);
    });
  }

  for (const [index, [earlier, breakEarlier]] of BREAKS.entries()) {
    it(`lets ${earlier} win over every later one`, () => {
      for (const [later, breakLater] of BREAKS.slice(index + 1)) {
        const scenario = makeScenario();
        breakLater(scenario);
        breakEarlier(scenario);
        assert.equal(codeOf(decide(scenario)), earlier, `against ${later}`);
      }
    });
  }

  for (const [index, [code, breaks]] of BREAKS.entries()) {
    it(`names who and what were meant, as far as known, with ${code}`, () => {
      const scenario = makeScenario();
      breaks(scenario);
      const decision = decide(scenario);
      assert.equal(decision.member?.name, index < 3 ? undefined : "Alice");
      assert.equal(decision.engagement?.name, index < 3 ? undefined : "acme-db");
    });
  }
});
