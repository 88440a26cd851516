import { getConnInfo } from "@hono/node-server/conninfo";
import { isSallyportError } from "@sallyport/core/errors.ts";
import type { Context } from "hono";
import { audit } from "../../audit/audit.ts";
import { errorFields } from "../../log.ts";
import { NoticeRefused } from "../../logout/notice-refused.ts";
import { ClientAddresses, limitKey } from "../client-address.ts";
import { RateLimit } from "../rate-limit.ts";
import type { AppEnv, Services } from "../services.ts";

/** Requests of one IdP that proved itself: a whole company may be signed out at once. */
const PER_IDP = { perSecond: 200, burst: 10_000 };
/** Refusals that are written down, of each IdP and of all others together: what anybody can cause must not fill the audit log. */
const WRITTEN = { perSecond: 1, burst: 500 };

/** What ways in from IdPs share: limits, and what becomes of what is refused. Every one has its own. */
export class NoticeDesk {
  readonly #services: Services;
  readonly #addresses: ClientAddresses;
  readonly #perIdp: RateLimit;
  readonly #written: RateLimit;
  /** As the audit log calls it: "back-channel logout". */
  readonly #way: string;

  constructor(services: Services, way: string) {
    this.#services = services;
    this.#way = way;
    this.#addresses = new ClientAddresses(services.config.trustedProxies);
    this.#perIdp = new RateLimit(services.environment.clock, PER_IDP, "from this IdP");
    this.#written = new RateLimit(services.environment.clock, WRITTEN);
  }

  /** Counts a request of an IdP whose signature or secret was right. Code `rate-limited`. */
  admit(issuer: string): void {
    this.#perIdp.take(issuer);
  }

  /**
   * Answers a request: with what `handle` returns, or as `answer` has it where that threw a refusal, which is written down as far as the
   * limits let it. Only refusals count against an address: a token costs little to look at, and an IdP that signs out many must be heard.
   */
  async serve(
    context: Context<AppEnv>,
    handle: () => Promise<Response>,
    answer: (refusal: NoticeRefused) => Response,
  ): Promise<Response> {
    try {
      return await handle();
    } catch (error) {
      const refusal = await this.#refusalOf(context, error);
      if (refusal.status === 429) context.header("retry-after", "60");
      return answer(refusal);
    }
  }

  async #refusalOf(context: Context<AppEnv>, error: unknown): Promise<NoticeRefused> {
    if (isSallyportError(error, "rate-limited")) return tooMany(error.message);
    if (!(error instanceof NoticeRefused)) throw error;
    const from = this.#addresses.of(
      getConnInfo(context).remote.address,
      context.req.header("x-forwarded-for"),
    );
    try {
      this.#services.failureLimit.take(limitKey(from));
    } catch (limited) {
      return tooMany((limited as Error).message);
    }
    await this.#writeDown(error, from);
    return error;
  }

  /** A refusal stands whether or not it could be written down. */
  async #writeDown({ status, message, signedBy }: NoticeRefused, from: string): Promise<void> {
    const { db, environment } = this.#services;
    const data = { way: this.#way, from, status, reason: message, ...signedBy };
    try {
      // What anybody can send must not keep out what an IdP did.
      this.#written.take(signedBy?.issuer ?? "anybody");
      const actor = signedBy?.issuer ?? "unknown";
      await audit(db, environment, { type: "idp-notice-refused", actor, data });
    } catch (error) {
      environment.log.warn("a refused notice is not in the audit log", { ...data, ...errorFields(error) });
    }
  }
}

function tooMany(sentence: string): NoticeRefused {
  return new NoticeRefused(429, "temporarily_unavailable", sentence);
}
