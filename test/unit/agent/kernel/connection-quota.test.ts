import assert from "node:assert/strict";
import { ConnectionQuota } from "@sallyport/agent/kernel/connection-quota.ts";

describe("the quota of connections", () => {
  it("is each user's own, and free again when a connection is over", () => {
    const quota = new ConnectionQuota(2);
    const [first, second] = [quota.take(1001), quota.take(1001)];
    assert.ok(first && second);
    assert.equal(quota.take(1001), null);
    assert.ok(quota.take(1002), "another user");
    first();
    first();
    assert.ok(quota.take(1001));
    assert.equal(quota.take(1001), null, "one was given back, though twice");
  });
});
