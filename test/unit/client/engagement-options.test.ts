import assert from "node:assert/strict";
import { patchOf } from "@sallyport/client/engagements/engagement-options.ts";
import { isSallyportError } from "@sallyport/core/errors.ts";

describe("--idp-grace", () => {
  for (const [text, seconds] of [
    ["15m", 900],
    ["90s", 90],
    ["900", 900],
    ["1h", 3600],
  ] as const) {
    it(`takes ${text}`, () => assert.deepEqual(patchOf({ idpGrace: text }), { idpGrace: seconds }));
  }

  for (const text of ["", "m", "15 m", "-1m", "1.5h", "1d", "0x10", "9999999"]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(
        () => patchOf({ idpGrace: text }),
        (error) => isSallyportError(error, "usage") && /a time like 15m, 90s or 1h/.test(error.message),
      );
    });
  }

  it("changes nothing where it is not given", () => assert.deepEqual(patchOf({}), {}));
});
