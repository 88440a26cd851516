import assert from "node:assert/strict";
import type { Hello } from "@sallyport/control-plane/hosts/link/check-hello.ts";
import { HostRevocations } from "@sallyport/control-plane/hosts/link/host-revocations.ts";
import { RevocationList } from "@sallyport/control-plane/hosts/link/revocation-list.ts";
import { addRevocations } from "../../../fixtures/revocations.ts";
import { makeWorld, type World } from "../support/world.ts";

describe("what one host says of the revocation list on its link", () => {
  let world: World;
  beforeEach(async () => {
    world = await makeWorld();
    await addRevocations(world.db, 3);
  });
  afterEach(() => world.db.destroy());

  it("is stored where it is news: a host that says it over and over costs no transaction each time", async () => {
    const list = new RevocationList(world.db);
    const stored: [sequence: number, ended: readonly string[]][] = [];
    const hello = { revocationSequence: 1, revocationChain: await list.chainAt(1) } as Hello;
    const link = new HostRevocations(
      {
        revocationList: list,
        acknowledgements: { add: (_, sequence, ended) => stored.push([sequence, ended]), lower: () => {} },
      },
      {
        ...{ host: { id: "hst_1", revocationSequence: 1 }, hello, keepsList: true },
        socket: { send: () => {}, sendMade: async () => {} },
        ...{ renewLease: () => {}, publishBundle: () => {} },
      },
    );
    await link.begin();
    for (let time = 0; time < 50; time++) for (const sequence of [1, 2]) await link.heard(sequence, []);
    await link.heard(3, []);
    await link.heard(3, ["ses_late"]);
    await link.heard(4, []);
    assert.deepEqual(stored, [
      [2, []],
      [3, []],
      [3, ["ses_late"]],
    ]);
    link.close();
  });
});
