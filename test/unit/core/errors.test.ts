import assert from "node:assert/strict";
import { isSallyportError, SallyportError } from "@sallyport/core/errors.ts";

describe("the error of what comes from outside", () => {
  const cause = new Error("below");
  const error = new SallyportError("not-found", "There is no such host.", { cause });

  it("has its name, code, sentence and cause", () => {
    assert.ok(error instanceof Error);
    const { name, code, message } = error;
    assert.deepEqual(
      [name, code, message, error.cause],
      ["SallyportError", "not-found", "There is no such host.", cause],
    );
  });

  it("is told from others, and by its code", () => {
    assert.equal(isSallyportError(error), true);
    assert.equal(isSallyportError(error, "not-found"), true);
    assert.equal(isSallyportError(error, "conflict"), false);
    for (const other of [new Error("not-found"), { code: "not-found" }, null])
      assert.equal(isSallyportError(other), false);
  });
});
