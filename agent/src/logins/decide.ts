import { type ProvenIdentity, verifyIdentity } from "@sallyport/core/admission/verify-identity.ts";
import type { Trust } from "@sallyport/core/messages/trust.ts";
import { type Decision, evaluateLogin, type HostCondition } from "@sallyport/core/policy/evaluate.ts";
import { RefusedError } from "@sallyport/core/policy/refusal.ts";
import { parsePublicKeyLine } from "@sallyport/core/ssh/public-key.ts";
import type { JwksCache } from "../policy/jwks-cache.ts";

/** One question of sshd, parsed. */
export interface Question {
  account: string;
  /** The certificate's blob. */
  certificate: Uint8Array;
  sourceAddress: string | null;
}

/** What the host can say of itself when a decision is made. */
export interface DecisionContext {
  /** Another object when a key has come or gone. */
  readonly trust: Trust;
  jwks: JwksCache;
  condition(): HostCondition;
  /** Seconds since the epoch. */
  now(): number;
  /** A decision was made; it took so many seconds. */
  onDecided?(seconds: number): void;
}

export type Answer = Decision & { identity: ProvenIdentity | null };

/** Makes the decision on a login: first who it is, then whether that person may. */
export class Decider {
  readonly #context: DecisionContext;
  #userCa: { trust: Trust; keys: Uint8Array[] } | undefined;

  constructor(context: DecisionContext) {
    this.#context = context;
  }

  /**
   * `proven` is what the same sshd connection proved with the same certificate a moment ago: sshd asks twice per login,
   * and signatures do not change in between. Whether that person may is judged every time.
   */
  async decide(question: Question, proven?: ProvenIdentity): Promise<Answer> {
    const begun = performance.now();
    try {
      return await this.#decide(question, proven);
    } finally {
      this.#context.onDecided?.((performance.now() - begun) / 1000);
    }
  }

  async #decide(question: Question, proven?: ProvenIdentity): Promise<Answer> {
    if (proven !== undefined)
      return { ...this.again(proven, question.account, question.sourceAddress), identity: proven };
    const { trust, jwks } = this.#context;
    const now = this.#context.now();
    let identity: ProvenIdentity;
    try {
      identity = await verifyIdentity(question.certificate, {
        userCaKeys: this.#userCaKeys(trust),
        issuers: trust.issuers,
        keys: (issuer) => jwks.get(issuer),
        now,
      });
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      if (error.refusal.code === "token-key-unknown")
        for (const { issuer } of trust.issuers) jwks.hint(issuer);
      return { outcome: "refuse", refusal: error.refusal, member: null, engagement: null, identity: null };
    }
    return { ...this.again(identity, question.account, question.sourceAddress), identity };
  }

  #userCaKeys(trust: Trust): Uint8Array[] {
    if (this.#userCa?.trust !== trust)
      this.#userCa = { trust, keys: trust.userCaKeys.map((line) => parsePublicKeyLine(line).blob) };
    return this.#userCa.keys;
  }

  /** The second half once more, for a session on a connection that was admitted a while ago. */
  again(identity: ProvenIdentity, account: string, sourceAddress: string | null): Decision {
    return evaluateLogin(
      { identity, account, sourceAddress, now: this.#context.now() },
      this.#context.condition(),
    );
  }
}
