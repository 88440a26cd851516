import assert from "node:assert/strict";
import { request } from "node:http";
import { Handover, ownerOfConnection } from "@sallyport/client/web/handover.ts";

const me = { uid: process.getuid?.() ?? -1, platform: "linux" };

/** Status and `location` of an answer. */
function ask(
  address: string,
  headers: Record<string, string> = {},
  method = "GET",
): Promise<[number, string]> {
  return new Promise((resolve, reject) => {
    const asked = request(address, { method, headers }, (response) => {
      response.resume();
      resolve([response.statusCode ?? 0, response.headers.location ?? ""]);
    });
    asked.on("error", reject).end();
  });
}

describe("the handover to a browser", () => {
  let handover: Handover;
  let made = 0;
  const open = async (person = me) => {
    made = 0;
    handover = await Handover.open(async () => `https://server/web#code=${++made}`, person);
  };
  afterEach(() => handover.close());

  it("sends the first that asks on, and nobody else", async () => {
    await open();
    assert.deepEqual(await ask(handover.address), [303, "https://server/web#code=1"]);
    await handover.taken;
    assert.deepEqual(await ask(handover.address), [410, ""]);
    assert.equal(made, 1);
  });

  it("is for a process of this user, at this address, and is not used up by others", async () => {
    await open();
    const { port } = new URL(handover.address);
    assert.equal((await ask(handover.address, { host: `evil.test:${port}` }))[0], 403);
    assert.equal((await ask(handover.address, {}, "POST"))[0], 403);
    assert.equal((await ask(handover.address.replace("/open", "/")))[0], 403);
    assert.equal((await ask(handover.address))[0], 303);
    handover.close();
    await open({ ...me, uid: me.uid + 1 });
    assert.deepEqual(await ask(handover.address), [403, ""]);
    assert.equal(made, 0);
  });

  it("tells of what kept it from making the link", async () => {
    handover = await Handover.open(() => Promise.reject(new Error("signed out")), me);
    const asking = ask(handover.address).catch(() => undefined);
    await assert.rejects(handover.taken, /signed out/);
    handover.close();
    await asking;
  });

  it("reads whose a connection is", () => {
    const text = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 1
   1: 0100007F:C350 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1000        0 2
`;
    assert.equal(ownerOfConnection(text, 50_000, 8080), 1000);
    assert.equal(ownerOfConnection(text, 50_001, 8080), undefined);
  });
});
