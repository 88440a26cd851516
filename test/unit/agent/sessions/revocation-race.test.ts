import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { RevocationSync } from "@sallyport/agent/control-plane/revocation-sync.ts";
import { Decider } from "@sallyport/agent/logins/decide.ts";
import type { Login } from "@sallyport/agent/logins/login.ts";
import type { LoginRegistry } from "@sallyport/agent/logins/login-registry.ts";
import { JwksCache } from "@sallyport/agent/policy/jwks-cache.ts";
import { PolicyStore } from "@sallyport/agent/policy/policy-store.ts";
import { endLoginsThatMust } from "@sallyport/agent/sessions/end-logins.ts";
import type { Trust } from "@sallyport/core/messages/trust.ts";
import { identityTarget, type Revocation } from "@sallyport/core/policy/revocation.ts";
import { formatPublicKeyLine, publicKeyFromKeyObject } from "@sallyport/core/ssh/public-key.ts";
import { ISSUER, NOW, TRUSTED } from "../../core/admission/identity-provider.ts";
import { ca, makeCertificate } from "../../core/admission/login-certificate.ts";
import { id, makeRevocation } from "../../core/policy/scenario.ts";
import { makeAdmittingHost, SILENT } from "../support/admission.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const ROUNDS = 20;
const LOGINS = 50;
const SPREAD_MS = 30;
const SHIM = "/usr/lib/sallyport/shim";

/** 1,000 logins in all, each judged as sshd has it judged, while the person is revoked at a moment that is never the same. */
describe("logins while the person is revoked", () => {
  const directory = temporaryDirectory();

  it("are none that is admitted after the acknowledgement, and none that survives it", async () => {
    const certificate = await makeCertificate();
    const { condition } = makeAdmittingHost(directory.path, SHIM);
    let [admitted, ended] = [0, 0];
    for (let round = 0; round < ROUNDS; round++) {
      const policy = new PolicyStore(directory.file(`bundle-${round}`), id("hst", "1"), []);
      Object.defineProperty(policy, "bundle", { value: condition.bundle });
      const decider = new Decider({
        trust: trust(),
        jwks: new JwksCache(directory.file("jwks"), [ISSUER], () => {}),
        condition: () => ({ ...condition, revocations: policy.revocations }),
        now: () => NOW,
      });
      const alive = new Set<Login>();
      const acknowledged = Promise.withResolvers<void>();
      let isAcknowledged = false;
      const sync = new RevocationSync({
        policy,
        send: ({ type }) => {
          assert.equal(type, "revocation-ack");
          assert.deepEqual([...alive].filter(isAdmitted), [], "nobody is left");
          isAcknowledged = true;
          acknowledged.resolve();
          return true;
        },
        endWhatMust: async () => {
          const logins = { alive: () => [...alive] } as unknown as LoginRegistry;
          await endLoginsThatMust(logins, policy, NOW, async (monitor) => {
            await pause(randomInt(3));
            for (const login of alive) if (login.monitor === monitor) ended += alive.delete(login) ? 1 : 0;
          });
          return [];
        },
        onChanged: () => {},
        log: SILENT,
      });

      /** As the principals server does, and then the session server. */
      const logIn = async (number: number): Promise<void> => {
        await pause(randomInt(SPREAD_MS));
        const question = { account: "deploy", certificate, sourceAddress: "192.0.2.7" };
        const answer = await decider.decide(question);
        if (answer.outcome === "refuse" || answer.identity === null) return;
        assert.equal(isAcknowledged, false, "admitted after the acknowledgement");
        admitted++;
        const login = loginOf(number, answer.identity, answer.member.id, answer.engagement.id);
        alive.add(login);
        await pause(randomInt(3));
        const again = decider.again(answer.identity, "deploy", "192.0.2.7");
        if (again.outcome === "admit")
          assert.equal(isAcknowledged, false, "a session after the acknowledgement");
      };
      const logins = Array.from({ length: LOGINS }, (_, number) => logIn(number));
      await pause(randomInt(SPREAD_MS));
      const entry = revocation();
      const message = { type: "revocations" as const, after: 0, entries: [entry], sequence: 1 };
      await sync.take(message, sync.narrow(message));
      await Promise.all([...logins, acknowledged.promise]);
      assert.deepEqual([...alive].filter(isAdmitted), []);
      policy.list.close();
    }
    assert.ok(
      admitted > 0 && ended > 0,
      `${admitted} admitted, ${ended} ended: the revocation came in between`,
    );
  });
});

function trust(): Trust {
  const userCaKeys = [formatPublicKeyLine(publicKeyFromKeyObject(ca), "")];
  return { userCaKeys, issuers: [TRUSTED] } as unknown as Trust;
}

function revocation(): Revocation {
  return makeRevocation("identity", identityTarget(ISSUER, "alice"), 1);
}

function isAdmitted({ admitted }: Login): boolean {
  return admitted !== null;
}

function loginOf(
  pid: number,
  identity: NonNullable<Login["identity"]>,
  memberId: string,
  engagementId: string,
): Login {
  return {
    monitor: { pid, startTime: 1 },
    ...{
      account: "deploy",
      uid: 1001,
      sourceAddress: null,
      certificateHash: "",
      identity,
      forwarding: false,
    },
    ...{ admitted: { memberId, engagementId }, refused: null, decidedAt: NOW, marks: null },
  };
}
