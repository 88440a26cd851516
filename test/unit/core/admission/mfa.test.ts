import assert from "node:assert/strict";
import { mfaLevelOf, mfaSuffices } from "@sallyport/core/admission/mfa.ts";
import { MfaLevel } from "@sallyport/core/policy/engagement.ts";
import { TRUSTED } from "./identity-provider.ts";

describe("the MFA level", () => {
  const rows: [acr: string | undefined, amr: string[] | undefined, level: MfaLevel][] = [
    [undefined, undefined, "none"],
    [undefined, [], "none"],
    [undefined, ["pwd"], "none"],
    [undefined, ["pwd", "otp"], "mfa"],
    [undefined, ["otp", "otp"], "mfa"],
    [undefined, ["hwk", "otp"], "phishing-resistant"],
    [undefined, ["MFA"], "none"],
    [undefined, ["mfa "], "none"],
    [undefined, ["urn:strong"], "none"],
    ["mfa", undefined, "none"],
    ["urn:strong", undefined, "phishing-resistant"],
    ["urn:strong", ["mfa"], "phishing-resistant"],
    ["urn:weak", ["mfa"], "mfa"],
    ["__proto__", ["__proto__"], "none"],
    ["constructor", ["constructor", "toString", "hasOwnProperty"], "none"],
    ["", [""], "none"],
  ];
  for (const [acr, amr, level] of rows) {
    it(`of acr ${acr} and amr ${JSON.stringify(amr)} is ${level}`, () => {
      assert.equal(mfaLevelOf({ acr, amr }, TRUSTED), level);
    });
  }

  it("is enough when it is the one that is needed, or above", () => {
    const levels = MfaLevel.options;
    for (const [have, level] of levels.entries()) {
      for (const [need, required] of levels.entries())
        assert.equal(mfaSuffices(level, required), have >= need);
    }
  });
});
