import { isDeepStrictEqual } from "node:util";
import { SallyportError } from "@sallyport/core/errors.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import { z } from "zod";
import {
  claimSecurityEventStream,
  findStream,
  noteStream,
  releaseSecurityEventStream,
} from "../database/security-event-streams.ts";
import { noteSubjectAdded, subjectsToAdd } from "../database/security-event-subjects.ts";
import { randomToken, seconds } from "../environment.ts";
import { bearerOf, callTransmitter, namedUrl, secretIn, type TransmitterAnswer } from "./call-transmitter.ts";
import { WANTED_EVENTS } from "./event-types.ts";
import { problemOf } from "./poll-sets.ts";
import type { ReceivingNeeds } from "./receive-set.ts";
import { Repeating } from "./repeating.ts";
import { fetchSsfMetadata, type SsfMetadata } from "./ssf-metadata.ts";
import type { Transmitter } from "./transmitter.ts";

const EVERY_MS = 3_600_000;
/** How often people are added to a stream of an IdP that tells only of those who were. */
const ADD_EVERY_MS = 30_000;
const ADD_AT_ONCE = 500;
const LONGEST_PAUSE_MS = 10 * 60_000;
const CLAIM_MS = 15_000;
/** A verification is not asked for again sooner than that, in seconds: replicas and restarts would each do so. */
const VERIFY_EVERY = 3000;

const PUSH = "urn:ietf:rfc:8935";
const POLL = "urn:ietf:rfc:8936";
/** As drafts of SSF called them. */
const OLD_METHODS: Record<string, string> = {
  "https://schemas.openid.net/secevent/risc/delivery-method/push": PUSH,
  "https://schemas.openid.net/secevent/risc/delivery-method/poll": POLL,
};

const Names = z.array(z.string().max(500)).max(500);

const Stream = z.looseObject({
  stream_id: z.string().min(1).max(500),
  iss: z.string().max(2000).optional(),
  aud: z.union([z.string().max(500), z.array(z.string().max(500)).max(50)]).optional(),
  delivery: z.looseObject({ method: z.string().max(200), endpoint_url: z.string().max(2000).optional() }),
  events_supported: Names.optional(),
  events_requested: Names.optional(),
});
type Stream = z.output<typeof Stream>;

const Streams = z.union([z.array(Stream).max(100), Stream.transform((one) => [one])]);
const Status = z.looseObject({
  status: z.enum(["enabled", "paused", "disabled"]),
  reason: z.string().max(5000).nullish(),
});

/** What managing a stream takes. */
export interface StreamNeeds extends Pick<ReceivingNeeds, "db" | "environment"> {
  /** Our own. */
  url: string;
  replica: string;
}

interface Settled {
  at: number;
  streamId: string;
  addAt: string | undefined;
}

/**
 * Sees to the stream at a transmitter (SSF 1.0 §8), at start and every hour: makes it where there is none, has it deliver what is
 * wanted to where it is wanted, reads its status, and asks for a verification, which arrives as a SET.
 */
export class StreamManager {
  readonly #needs: StreamNeeds;
  readonly #transmitter: Transmitter;
  readonly #repeating: Repeating;
  /** When the stream was last seen to, and where people are added to it. */
  #settled: Settled | undefined;

  constructor(needs: StreamNeeds, transmitter: Transmitter) {
    this.#needs = needs;
    this.#transmitter = transmitter;
    this.#repeating = new Repeating(needs.environment, {
      name: "managing a stream of security events",
      fields: { issuer: transmitter.iss },
      longestPause: LONGEST_PAUSE_MS,
      turn: (signal) => this.#turn(signal),
      onFailure: (error) => {
        // Seen to anew next time, which also says that all is well again.
        this.#settled = undefined;
        return noteStream(needs.db, transmitter.issuer, { problem: problemOf(error) });
      },
    });
  }

  start(): void {
    this.#repeating.start();
  }

  async close(): Promise<void> {
    const { db, replica } = this.#needs;
    await this.#repeating.close();
    await releaseSecurityEventStream(db, this.#transmitter.issuer, replica).catch(() => {});
  }

  async #turn(signal: AbortSignal): Promise<number> {
    const { db, environment, replica } = this.#needs;
    const { issuer, stream } = this.#transmitter;
    const now = environment.clock();
    if (!(await claimSecurityEventStream(db, issuer, { by: replica, now, until: now + CLAIM_MS })))
      return CLAIM_MS;
    const authorization = bearerOf(stream?.tokenFile);
    const call: Call = async (method, url, body) =>
      callTransmitter({ method, url, authorization, ...(body === undefined ? {} : { body }), signal });
    if (this.#settled === undefined || now - this.#settled.at >= EVERY_MS)
      this.#settled = await this.#see(call);
    const { addAt, streamId } = this.#settled;
    if (addAt === undefined) return EVERY_MS;
    await this.#addPeople(call, addAt, streamId);
    return ADD_EVERY_MS;
  }

  /** Sees to the stream and its verification. */
  async #see(call: Call): Promise<Settled> {
    const { db, environment } = this.#needs;
    const { iss, issuer } = this.#transmitter;
    const metadata = await fetchSsfMetadata(iss);
    const known = await findStream(db, issuer);
    const found = await this.#settle(call, metadata, known?.stream_id ?? null);
    const problem = this.#problemOf(found, metadata);
    const poll_url =
      methodOf(found) === POLL && found.delivery.endpoint_url !== undefined
        ? namedUrl(found.delivery.endpoint_url, iss)
        : null;
    await noteStream(db, issuer, {
      stream_id: found.stream_id,
      poll_url,
      ...(await readStatus(call, metadata, found)),
      checked_at: seconds(environment.clock),
      problem,
    });
    await this.#askVerification(call, metadata, found, known?.verification_asked_at ?? 0);
    const addAt = metadata?.defaultSubjects === "NONE" ? metadata.addSubjectEndpoint : undefined;
    return { at: environment.clock(), streamId: found.stream_id, addAt };
  }

  /** Adds those who are known here and were not added before (SSF 1.0 §8.1.3.2). */
  async #addPeople(call: Call, endpoint: string, streamId: string): Promise<void> {
    const { db } = this.#needs;
    const { issuer } = this.#transmitter;
    for (const subject of await subjectsToAdd(db, { issuer, streamId }, ADD_AT_ONCE)) {
      const who = { format: "iss_sub", iss: issuer, sub: subject };
      const { status } = await call("POST", endpoint, { stream_id: streamId, subject: who });
      // 404 is of somebody whom the IdP does not know, or does not say so.
      if (status >= 300 && status !== 404)
        throw refusal(`answered ${status} when somebody was to be added to its stream`);
      await noteSubjectAdded(db, { issuer, streamId, subject });
    }
  }

  /** The stream as it should be: found, changed, or made. */
  async #settle(call: Call, metadata: SsfMetadata | undefined, knownId: string | null): Promise<Stream> {
    const endpoint = metadata?.configurationEndpoint;
    if (endpoint === undefined) throw refusal("has no SSF configuration with a configuration_endpoint");
    const listed = await call("GET", endpoint);
    if (listed.status !== 200 && listed.status !== 404)
      throw refusal(`answered ${listed.status} to what its streams are`);
    const streams = listed.status === 404 ? [] : parse(Streams, listed, "its streams");
    const own = streams.find(({ stream_id }) => stream_id === knownId) ?? streams.find(this.#isOurs);
    if (own !== undefined) return this.#change(call, endpoint, own);
    const made = await call("POST", endpoint, {
      events_requested: WANTED_EVENTS,
      delivery: this.#delivery(),
      description: "Sallyport",
    });
    if (made.status === 200 || made.status === 201) return parse(Stream, made, "the stream it made");
    const [only, ...others] = streams;
    // It allows one for each receiver, and there is one, with another delivery.
    if (made.status === 409 && only !== undefined && others.length === 0)
      return this.#change(call, endpoint, only);
    throw refusal(`answered ${made.status} when a stream was to be made`);
  }

  async #change(call: Call, endpoint: string, stream: Stream): Promise<Stream> {
    const supported = stream.events_supported;
    const wanted = WANTED_EVENTS.filter(
      (uri) => supported === undefined || supported.includes(uri),
    ).toSorted();
    const requested = (stream.events_requested ?? []).filter((uri) => wanted.includes(uri)).toSorted();
    const delivery = this.#delivery();
    // Whether its header is still ours it does not tell.
    const isSettled = this.#isOurs(stream) && delivery.authorization_header === undefined;
    if (isSettled && isDeepStrictEqual(wanted, requested)) return stream;
    const changed = await call("PATCH", endpoint, {
      stream_id: stream.stream_id,
      events_requested: WANTED_EVENTS,
      ...(isSettled ? {} : { delivery }),
    });
    if (changed.status === 200) return parse(Stream, changed, "the stream it changed");
    throw refusal(`answered ${changed.status} when its stream was to be changed`);
  }

  #delivery(): { method: string; endpoint_url?: string; authorization_header?: string } {
    const { poll, push } = this.#transmitter;
    if (poll !== undefined) return { method: POLL };
    const tokenFile = push?.tokenFile ?? null;
    return {
      method: PUSH,
      endpoint_url: `${this.#needs.url}/security-events`,
      ...(tokenFile === null ? {} : { authorization_header: secretIn(tokenFile) }),
    };
  }

  readonly #isOurs = (stream: Stream): boolean => {
    const { method, endpoint_url } = this.#delivery();
    return methodOf(stream) === method && (method === POLL || stream.delivery.endpoint_url === endpoint_url);
  };

  /** Why nothing would come of the stream, though it is there. */
  #problemOf({ iss, aud }: Stream, metadata: SsfMetadata | undefined): string | null {
    const { audiences, iss: expected } = this.#transmitter;
    if (iss !== undefined && iss !== expected)
      return "The stream's issuer is another one than `securityEvents.issuer`: its tokens are refused.";
    const named = aud === undefined ? [] : [aud].flat();
    if (named.length > 0 && !named.some((one) => audiences.includes(one)))
      return "The stream's audience is not this control plane: set `securityEvents.audience` to what the IdP says.";
    if (metadata?.defaultSubjects === "NONE" && metadata.addSubjectEndpoint === undefined)
      return "The IdP tells only of people who were added to the stream (default_subjects NONE): add them there.";
    return null;
  }

  async #askVerification(
    call: Call,
    metadata: SsfMetadata | undefined,
    { stream_id }: Stream,
    askedAt: number,
  ): Promise<void> {
    const { db, environment } = this.#needs;
    const endpoint = metadata?.verificationEndpoint;
    const now = seconds(environment.clock);
    if (endpoint === undefined || now - askedAt < VERIFY_EVERY) return;
    // Kept before it is asked: the answer may come first.
    const state = randomToken(environment.random, 24);
    const asked = { verification_state: state, verification_asked_at: now };
    await noteStream(db, this.#transmitter.issuer, asked);
    const { status } = await call("POST", endpoint, { stream_id, state });
    if (status >= 300 && status !== 429)
      throw refusal(`answered ${status} when a verification was asked for`);
  }
}

type Call = (method: "GET" | "POST" | "PATCH", url: string, body?: object) => Promise<TransmitterAnswer>;

async function readStatus(
  call: Call,
  metadata: SsfMetadata | undefined,
  { stream_id }: Stream,
): Promise<{ status?: string; status_reason?: string | null }> {
  if (metadata?.statusEndpoint === undefined) return {};
  const url = new URL(metadata.statusEndpoint);
  url.searchParams.set("stream_id", stream_id);
  const answer = await call("GET", url.href);
  if (answer.status !== 200) throw refusal(`answered ${answer.status} to what its stream's status is`);
  const { status, reason } = parse(Status, answer, "its stream's status");
  return { status, status_reason: reason == null ? null : printable(reason, 300) };
}

function methodOf({ delivery: { method } }: Stream): string {
  return OLD_METHODS[method] ?? method;
}

function parse<T>(schema: z.ZodType<T>, { json, status }: TransmitterAnswer, what: string): T {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  throw refusal(`answered ${status}, but ${what} cannot be read`, result.error);
}

function refusal(what: string, cause?: unknown): SallyportError {
  return new SallyportError("issuer-unreachable", `The IdP ${what}.`, { cause });
}
