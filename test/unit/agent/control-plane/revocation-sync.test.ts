import assert from "node:assert/strict";
import { RevocationSync } from "@sallyport/agent/control-plane/revocation-sync.ts";
import { PolicyStore } from "@sallyport/agent/policy/policy-store.ts";
import type { RevocationsMessage } from "@sallyport/agent/policy/take-revocations.ts";
import type { HostMessage } from "@sallyport/core/messages/host-link.ts";
import type { SessionId } from "@sallyport/core/names.ts";
import type { Revocation } from "@sallyport/core/policy/revocation.ts";
import { createLogger } from "winston";
import { id, makeBundle, makeRevocation } from "../../core/policy/scenario.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const SESSION = id("ses", "1") as SessionId;

describe("the revocation list between host and control plane", () => {
  const directory = temporaryDirectory();
  let sent: HostMessage[];
  let endings: PromiseWithResolvers<SessionId[]>[];
  let sync: RevocationSync;
  let policy: PolicyStore;

  const entry = (sequence: number): Revocation => ({
    ...makeRevocation("member", `mem_${String(sequence).padStart(26, "0")}`, sequence),
    id: `rev_${String(sequence).padStart(26, "0")}`,
  });
  const message = (after: number, to: number, sequence = to): RevocationsMessage => {
    const entries = Array.from({ length: to - after }, (_, index) => entry(after + index + 1));
    return { type: "revocations", after, entries, sequence };
  };
  const receive = (one: RevocationsMessage) => sync.take(one, sync.narrow(one));
  const settled = () => new Promise((resolve) => setImmediate(resolve));

  beforeEach(() => {
    sent = [];
    endings = [];
    policy = new PolicyStore(directory.file("bundle.jws"), id("hst", "1"), []);
    Object.defineProperty(policy, "bundle", { value: makeBundle(), configurable: true });
    sync = new RevocationSync({
      policy,
      send: (one) => sent.push(one) > 0,
      endWhatMust: () => {
        const ending = Promise.withResolvers<SessionId[]>();
        endings.push(ending);
        return ending.promise;
      },
      onChanged: () => {},
      log: createLogger({ silent: true }),
    });
  });

  it("is acknowledged when it is stored and what it ends has ended, not before", async () => {
    const ended = sync.narrow(message(0, 1));
    assert.deepEqual(
      [endings.length, policy.list.sequence],
      [1, 0],
      "endings begin before anything is stored",
    );
    await sync.take(message(0, 1), ended);
    await settled();
    assert.deepEqual(sent, []);
    endings[1]?.resolve([]);
    await settled();
    assert.deepEqual(sent, []);
    endings[0]?.resolve([SESSION]);
    await settled();
    assert.deepEqual(sent, [{ type: "revocation-ack", sequence: 1, endedSessions: [SESSION] }]);
  });

  it("in force before its turn has come: nothing awaits anything", () => {
    void sync.narrow(message(0, 1));
    const nobody = { certificateSerial: "", keyFingerprint: "", engagementId: "", issuer: "", subject: "" };
    const subject = { ...nobody, vendors: [], signedInAt: 0, memberId: entry(1).target };
    assert.equal(policy.revocations.find(subject)?.sequence, 1);
  });

  it("is not acknowledged where something could not be ended, and nothing comes of that otherwise", async () => {
    const unhandled: unknown[] = [];
    const note = (reason: unknown) => unhandled.push(reason);
    process.on("unhandledRejection", note);
    try {
      const gap = { ...message(3, 4), sequence: 4 };
      for (const one of [message(0, 1), gap, { ...message(1, 3), after: 0 }]) {
        const taken = receive(one);
        for (const ending of endings) ending.reject(new Error("it does not end"));
        await taken;
        for (const ending of endings) ending.reject(new Error("it does not end"));
      }
      for (let turn = 0; turn < 3; turn++) await settled();
    } finally {
      process.off("unhandledRejection", note);
    }
    assert.deepEqual([unhandled, sent.filter(({ type }) => type === "revocation-ack")], [[], []]);
  });

  it("is not acknowledged while there is no bundle to judge by: a vendor's sessions could not be told", async () => {
    Object.defineProperty(policy, "bundle", { value: null, configurable: true });
    const taken = receive(message(0, 1));
    endings[0]?.resolve([SESSION]);
    await taken;
    for (const ending of endings) ending.resolve([]);
    await settled();
    assert.deepEqual(sent, []);
    Object.defineProperty(policy, "bundle", { value: makeBundle() });
    sync.askForWhatIsMissing();
    for (const ending of endings) ending.resolve([]);
    await settled();
    assert.deepEqual(sent, [{ type: "revocation-ack", sequence: 1, endedSessions: [SESSION] }]);
    sync.askForWhatIsMissing();
    await settled();
    assert.equal(sent.length, 1);
  });

  it("is asked for once where entries are missing, and not acknowledged beyond the gap", async () => {
    await receive(message(0, 1));
    for (const after of [2, 3, 4, 5]) await receive(message(after, after + 1));
    assert.deepEqual(sent, [{ type: "revocations-query", after: 1 }]);
    assert.equal(sync.behind, 5);
    await receive(message(1, 6));
    for (const ending of endings) ending.resolve([]);
    await settled();
    const acknowledged = sent.flatMap((one) => (one.type === "revocation-ack" ? [one.sequence] : []));
    assert.deepEqual([acknowledged, sync.behind], [[1, 6], 0]);
  });

  it("is asked for anew on a new connection, and what was half there is forgotten", async () => {
    await receive(message(0, 2, 5));
    assert.deepEqual([policy.list.sequence, policy.list.wholeSequence], [0, 2]);
    await receive(message(4, 5));
    assert.deepEqual(sent, [], "the whole list is on its way");
    sync.connected();
    assert.equal(policy.list.wholeSequence, undefined);
    await receive(message(4, 5));
    sync.connected();
    await receive(message(4, 5));
    assert.deepEqual(sent, [
      { type: "revocations-query", after: 0 },
      { type: "revocations-query", after: 0 },
    ]);
  });
});
