import assert from "node:assert/strict";
import { addHost } from "@sallyport/control-plane/database/hosts.ts";
import {
  acknowledgementsOf,
  hostsThatHave,
} from "@sallyport/control-plane/database/revocation-acknowledgements.ts";
import { newId } from "@sallyport/control-plane/environment.ts";
import { StoredAcknowledgements } from "@sallyport/control-plane/hosts/link/stored-acknowledgements.ts";
import sinon from "sinon";
import { addRevocations } from "../../../fixtures/revocations.ts";
import { makeWorld, type World } from "../support/world.ts";

describe("what hosts say of the revocation list", () => {
  let world: World;
  let store: StoredAcknowledgements;
  let stored: number;
  beforeEach(async () => {
    world = await makeWorld();
    store = new StoredAcknowledgements(world);
    stored = 0;
    store.onStored(() => stored++);
    await addRevocations(world.db, 20);
  });
  afterEach(() => world.db.destroy());

  const hosts = async (count: number) => {
    const ids = Array.from({ length: count }, () => newId(world.environment, "hst"));
    for (const id of ids)
      await addHost(world.db, {
        ...{ id, name: id, address: "a", port: 22, labels_json: "{}", host_key: id, enrolled_at: 0 },
      });
    return ids;
  };
  const rowOf = (id: string) =>
    world.db.selectFrom("hosts").selectAll().where("id", "=", id).executeTakeFirstOrThrow();
  const sequenceOf = async (id: string) => (await rowOf(id)).revocation_sequence;

  it("is stored for all that say it together in a few transactions", async () => {
    const fleet = await hosts(600);
    const transactions = sinon.spy(world.db, "transaction");
    for (const id of fleet) store.add(id, 7, [`ses of ${id}`]);
    await store.close();
    assert.equal(transactions.callCount, 1);
    const have = await hostsThatHave(world.db, [7]);
    assert.deepEqual(
      fleet.map((id) => have.get(id)),
      fleet.map((id) => [`ses of ${id}`]),
    );
    const { revocation_acknowledged_at: at } = await rowOf(fleet[0] ?? "");
    assert.equal(at, world.time.now);
    assert.equal(stored, 1);
  });

  it("means all entries before, and is never less than it was", async () => {
    const [id = ""] = await hosts(1);
    store.add(id, 9, ["a"]);
    await store.close();
    store.add(id, 4, ["b"]);
    await store.close();
    assert.equal(await sequenceOf(id), 9);
    assert.deepEqual([...(await hostsThatHave(world.db, [5, 6]))], [[id, ["a"]]]);
    assert.deepEqual([...(await hostsThatHave(world.db, [10]))], []);
  });

  it("is less only by the host's own word, which counts after what it said before", async () => {
    const [id = ""] = await hosts(1);
    store.add(id, 9, []);
    store.lower(id, 3);
    await store.close();
    assert.ok((await sequenceOf(id)) <= 3);
    store.add(id, 9, []);
    await store.close();
    store.lower(id, 3);
    store.add(id, 5, ["a"]);
    await store.close();
    assert.equal(await sequenceOf(id), 5);
  });

  it("that ends sessions of several entries in several answers is told of each", async () => {
    const [one = "", other = ""] = await hosts(2);
    for (const [id, sequence, ended] of [
      [one, 2, "before"],
      [one, 3, "a"],
      [one, 5, "b"],
      [one, 6, "after"],
      [other, 12, "all"],
    ] as const) {
      store.add(id, sequence, [ended]);
      await store.close();
    }
    const answers = await acknowledgementsOf(world.db, [3, 4, 5]);
    assert.deepEqual(
      answers.map(({ host_id, ended_sessions_json }) => [host_id, ended_sessions_json]),
      [
        [one, '["a"]'],
        [one, '["b"]'],
        [other, '["all"]'],
      ],
    );
  });

  it("is kept while the database is away, once for each host, and stored when it is back", async () => {
    const [id = ""] = await hosts(1);
    const log = sinon.spy(world.environment.log, "error");
    const clock = sinon.useFakeTimers({ toFake: ["setTimeout"], shouldClearNativeTimers: true });
    try {
      const away = sinon.stub(world.db, "transaction").throws(new Error("away"));
      store.add(id, 3, ["a"]);
      await new Promise(setImmediate);
      await new Promise(setImmediate);
      store.add(id, 4, ["b"]);
      assert.equal(log.callCount, 1);
      away.restore();
      await clock.tickAsync(1000);
    } finally {
      clock.restore();
    }
    await store.close();
    assert.equal(await sequenceOf(id), 4);
    assert.deepEqual([...(await hostsThatHave(world.db, [3, 4]))], [[id, ["a", "b"]]]);
  });
});
