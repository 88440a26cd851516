import assert from "node:assert/strict";
import {
  claimSecurityEventStream,
  findStream,
  noteStream,
  noteVerified,
  releaseSecurityEventStream,
} from "@sallyport/control-plane/database/security-event-streams.ts";
import { makeWorld, type World } from "../support/world.ts";

describe("who is at a stream of security events", () => {
  let world: World;
  beforeEach(async () => {
    world = await makeWorld();
  });
  afterEach(() => world.db.destroy());

  const claim = (by: string, now: number) =>
    claimSecurityEventStream(world.db, "https://idp.test", { by, now, until: now + 5000 });

  it("is one replica, until it lets go or its time is over", async () => {
    assert.deepEqual(
      [await claim("one", 0), await claim("two", 4999), await claim("one", 4000)],
      [true, false, true],
    );
    assert.equal(await claim("two", 8999), false, "it was kept");
    assert.equal(await claim("two", 9000), true);
    await releaseSecurityEventStream(world.db, "https://idp.test", "one");
    assert.equal(await claim("one", 9001), false, "it was not its own to let go");
    await releaseSecurityEventStream(world.db, "https://idp.test", "two");
    assert.equal(await claim("one", 9001), true);
  });

  it("is one of several that ask at once", async () => {
    const all = await Promise.all(Array.from({ length: 10 }, (_, index) => claim(`replica-${index}`, 0)));
    assert.equal(all.filter(Boolean).length, 1);
  });

  it("counts a verification by the state that was asked with last, of that stream", async () => {
    await noteStream(world.db, "https://idp.test", { verification_state: "first" });
    await noteStream(world.db, "https://idp.test", { verification_state: "second" });
    await noteStream(world.db, "https://else.test", { verification_state: "theirs" });
    for (const state of ["first", "theirs", ""])
      assert.equal(await noteVerified(world.db, "https://idp.test", state, 7), false);
    assert.equal(await noteVerified(world.db, "https://idp.test", "second", 7), true);
    assert.equal((await findStream(world.db, "https://idp.test"))?.verified_at, 7);
  });
});
