import assert from "node:assert/strict";
import {
  ConsistencyResponse,
  FrontierResponse,
  InclusionResponse,
  LoggedRecording,
} from "@sallyport/core/messages/audit-log.ts";
import { type Checkpoint, openCheckpoint } from "@sallyport/core/transparency/checkpoint.ts";
import { GrowingTree } from "@sallyport/core/transparency/growing-tree.ts";
import { leafHash, sameHash } from "@sallyport/core/transparency/hashing.ts";
import { type ExportedLeaf, parseLeaf } from "@sallyport/core/transparency/log-export.ts";
import { parseVerifierKey } from "@sallyport/core/transparency/signed-note.ts";
import { holdsConsistency, holdsInclusion } from "@sallyport/core/transparency/verify-proof.ts";
import { call, signIn } from "./support/client.ts";
import { startTestControlPlane, type TestControlPlane } from "./support/control-plane.ts";
import { connect, enrol, makeRecording } from "./support/host.ts";

describe("the audit log's API", () => {
  let plane: TestControlPlane;
  let token: string;
  let session: string;
  let headHash: string;

  const get = (path: string) => call(plane.url, "GET", `/audit/${path}`, { token });
  const checkpoint = async (): Promise<Checkpoint> => {
    const key = parseVerifierKey(String((await get("key")).body).trim());
    return openCheckpoint(String((await get("checkpoint")).body), key);
  };
  const entries = async (from: number, to: number): Promise<ExportedLeaf[]> => {
    const { status, body } = await get(`entries?from=${from}&to=${to}`);
    assert.equal(status, 200);
    const lines = String(body).split("\n");
    assert.equal(lines.pop(), "");
    return lines.map((line) => parseLeaf(line) ?? assert.fail(line));
  };

  before(async () => {
    plane = await startTestControlPlane();
    const dana = await signIn(plane.url, plane.idp.issuer, "dana");
    token = (await signIn(plane.url, plane.idp.issuer, "audrey")).apiToken;
    const host = await enrol(plane.url, await plane.joinToken("web-1"));
    const link = await connect(plane.url, host);
    const person = { id: dana.me.memberId ?? "", issuer: plane.idp.issuer, subject: "dana" };
    const recording = makeRecording(host, person);
    for (const block of recording.blocks) link.socket.send(block.bytes);
    for (let complete = false; !complete; ) complete = (await link.next("recording-offset")).complete;
    session = recording.session;
    headHash = Buffer.from(recording.blocks.at(-1)?.hash ?? []).toString("hex");
    await link.close();
  });
  after(() => plane.close());

  it("serves entries that hash to the checkpoint it signed", async () => {
    const signed = await checkpoint();
    const tree = new GrowingTree();
    for (const { index, hash, leaf } of await entries(0, signed.size)) {
      assert.equal(index, tree.size);
      assert.ok(sameHash(hash, leafHash(leaf)));
      tree.append(hash);
    }
    assert.ok(tree.size === signed.size && sameHash(tree.root(), signed.root));
  });

  it("has what happened, in order", async () => {
    const { size } = await checkpoint();
    const types = (await entries(0, size)).map(({ leaf }) => JSON.parse(leaf).type);
    const expected = [
      "policy-applied",
      "identity-pinned",
      "signed-in",
      "certificate-issued",
      "join-token-made",
    ];
    assert.deepEqual(types.filter((type) => expected.includes(type)).slice(0, 4), expected.slice(0, 4));
    for (const type of [...expected, "host-enrolled", "recording-complete"])
      assert.ok(types.includes(type), type);
  });

  it("proves that entries are in the tree, by number and by hash", async () => {
    const signed = await checkpoint();
    const all = await entries(0, signed.size);
    for (const { index, leaf } of all) {
      const hash = leafHash(leaf);
      const byHash = encodeURIComponent(Buffer.from(hash).toString("base64"));
      for (const query of [`index=${index}&size=${signed.size}`, `hash=${byHash}&size=${signed.size}`]) {
        const answer = InclusionResponse.parse((await get(`inclusion?${query}`)).body);
        assert.ok(holdsInclusion({ index, hash }, answer.proof, signed), query);
      }
    }
    const nothing = encodeURIComponent(Buffer.alloc(32).toString("base64"));
    assert.equal((await get(`inclusion?hash=${nothing}`)).status, 404);
    assert.equal((await get(`inclusion?index=${signed.size}&size=${signed.size}`)).status, 404);
  });

  it("proves that it only grew, and serves what a verifier begins with in the middle", async () => {
    const earlier = await checkpoint();
    await entries(0, 1);
    const later = await checkpoint();
    assert.ok(later.size > earlier.size);
    const consistency = await get(`consistency?from=${earlier.size}&to=${later.size}`);
    const { proof } = ConsistencyResponse.parse(consistency.body);
    assert.ok(holdsConsistency(earlier, later, proof));
    const { hashes } = FrontierResponse.parse((await get(`frontier?size=${earlier.size}`)).body);
    const tree = new GrowingTree(earlier.size, hashes);
    assert.ok(sameHash(tree.root(), earlier.root));
    for (const { leaf } of await entries(earlier.size, later.size)) tree.append(leafHash(leaf));
    assert.ok(sameHash(tree.root(), later.root));
  });

  it("keeps who read entries, once for each answer, and does not grow by being watched", async () => {
    const before = await checkpoint();
    await entries(0, 3);
    const after = await checkpoint();
    assert.equal((await checkpoint()).size, after.size);
    await get(`consistency?from=1&to=${after.size}`);
    assert.equal((await checkpoint()).size, after.size);
    const [read, ...rest] = await entries(before.size, after.size);
    assert.deepEqual(rest, []);
    const { type, actor, data } = JSON.parse(read?.leaf ?? "");
    assert.deepEqual([type, actor, data], ["audit-log-read", "audit@acme.test", { entries: 3, from: 0 }]);
  });

  it("proves to whoever may see a recording that its end is logged", async () => {
    const { body } = await call(plane.url, "GET", `/sessions/${session}/inclusion`, { token });
    const { leaf, index, proof, checkpoint: note, key } = LoggedRecording.parse(body);
    const signed = openCheckpoint(note, parseVerifierKey(key));
    assert.ok(holdsInclusion({ index, hash: leafHash(leaf) }, proof, signed));
    const { type, data } = JSON.parse(leaf);
    assert.equal(type, "recording-complete");
    assert.deepEqual([data.session, data.headHash], [session, headHash]);
  });

  const wrong = ["entries", "entries?from=-1&to=1", "entries?from=2&to=1", "consistency?from=2&to=1"];
  for (const path of [...wrong, "inclusion?index=0&hash=AAAA", "frontier?size=1e99"]) {
    it(`refuses ${path}`, async () => assert.equal((await get(path)).status, 400));
  }
});
