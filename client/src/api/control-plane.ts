import { SallyportError } from "@sallyport/core/errors.ts";
import { MadeToken, type TokenRequest, TokenView } from "@sallyport/core/messages/api-tokens.ts";
import {
  type ApprovalAnswer,
  type ApprovalFilter,
  ApprovalOutcome,
  type ApprovalRequest,
  ApprovalView,
} from "@sallyport/core/messages/approvals.ts";
import { FrontierResponse, LoggedRecording } from "@sallyport/core/messages/audit-log.ts";
import {
  type CertificateRequest,
  CertificateResponse,
  ChallengeResponse,
  ClientConfiguration,
  type EndEngagementRequest,
  LastRefusal,
  Me,
  type RenewalRequest,
  RenewalResponse,
  type RevocationRequest,
  RevocationResponse,
  SessionSummary,
} from "@sallyport/core/messages/client-api.ts";
import {
  type CreateEngagementRequest,
  type EditEngagementRequest,
  EngagementChangeResponse,
  EngagementVersion,
  type ExtendEngagementRequest,
} from "@sallyport/core/messages/engagements.ts";
import { IssuerView } from "@sallyport/core/messages/issuers.ts";
import { type InviteRequest, MemberView } from "@sallyport/core/messages/members.ts";
import { type PolicyRequest, PolicyResponse } from "@sallyport/core/messages/policy.ts";
import { Hold, type HoldRequest, SessionEvent, WebCode } from "@sallyport/core/messages/recordings.ts";
import { type LiftRequest, RevocationDetail, RevocationView } from "@sallyport/core/messages/revocations.ts";
import { EpochSeconds } from "@sallyport/core/names.ts";
import { z } from "zod";
import { type ApiAnswer, type ApiRequest, callApi } from "./http.ts";

/** The control plane applies a file of thousands of engagements before it answers. */
const APPLY_PATIENCE_MS = 120_000;
const MAX_JSON = 8 * 1024 * 1024;
const MAX_TEXT = 64 * 1024 * 1024;
const MAX_RECORDING = 1024 * 1024 * 1024;

/** Who acknowledged a revocation, and what it ended. */
export type RevocationAnswer = z.infer<typeof RevocationResponse>;

/** What revocations to list; the control plane filters. */
export interface RevocationFilter {
  level?: string;
  target?: string;
  inForce?: boolean;
  before?: string;
  limit?: number;
}

/** What sessions to list; the control plane filters. */
export interface SessionFilter {
  state?: "live";
  host?: string;
  member?: string;
  limit?: number;
}

/** What `GET /engagements` says beyond what `GET /me` does; a control plane may leave it out or say more. */
const Engagement = Me.shape.engagements.element
  .extend({
    vendor: z.string().optional(),
    ended: z.looseObject({ at: EpochSeconds, by: z.string(), reason: z.string() }).nullish(),
    members: z
      .array(z.looseObject({ id: z.string(), name: z.string(), email: z.string().nullish() }))
      .optional(),
  })
  .loose();
export type Engagement = z.infer<typeof Engagement>;

const Acknowledgements = z.object({
  hosts: z.array(z.object({ host: z.string(), acknowledged: z.boolean() })).default([]),
});
/** Which hosts know of a change. */
export type Acknowledgements = z.infer<typeof Acknowledgements>;

/** A recording as it is stored, and the key of the host that made it, as the control plane knows it. */
export interface StoredRecording {
  bytes: Buffer;
  hostKey: string | null;
  /** Bytes that the control plane knows of and no longer has. */
  missing: number;
}

/** The HTTP API of one control plane, as `core/messages/client-api.ts` has it. Every answer passes its schema. */
export class ControlPlane {
  readonly #origin: string;
  readonly #token: string | undefined;

  constructor(origin: string, token?: string) {
    this.#origin = origin;
    this.#token = token;
  }

  issuers(): Promise<IssuerView[]> {
    return this.#json(z.array(IssuerView), { method: "GET", path: "/issuers" });
  }

  clientConfiguration(): Promise<ClientConfiguration> {
    return this.#json(ClientConfiguration, { method: "GET", path: "/client-configuration" });
  }

  /** `signal` ends it early, as the code `server-unreachable`. */
  challenge(signal?: AbortSignal): Promise<z.infer<typeof ChallengeResponse>> {
    const request = { method: "POST" as const, path: "/challenges", body: {} };
    return this.#json(ChallengeResponse, signal === undefined ? request : { ...request, signal });
  }

  certificate(body: CertificateRequest): Promise<CertificateResponse> {
    return this.#json(CertificateResponse, { method: "POST", path: "/certificates", body });
  }

  /** Likewise. */
  renewCertificate(body: RenewalRequest, signal: AbortSignal): Promise<RenewalResponse> {
    return this.#json(RenewalResponse, { method: "POST", path: "/certificates/renew", body, signal });
  }

  me(): Promise<Me> {
    return this.#json(Me, { method: "GET", path: "/me" });
  }

  lastRefusal(): Promise<LastRefusal> {
    return this.#json(LastRefusal, { method: "GET", path: "/me/refusal" });
  }

  /** Newest first. */
  async sessions(filter: SessionFilter): Promise<SessionSummary[]> {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(filter))
      if (value !== undefined) query.set(name, String(value));
    const path = query.size === 0 ? "/sessions" : `/sessions?${query}`;
    return await this.#json(z.array(SessionSummary), { method: "GET", path });
  }

  async recording(sessionId: string, onProgress?: (bytes: number) => void): Promise<StoredRecording> {
    const answer = await this.#call({
      method: "GET",
      path: `/sessions/${encodeURIComponent(sessionId)}/recording`,
      maxBytes: MAX_RECORDING,
      ...(onProgress === undefined ? {} : { onProgress }),
    });
    const length = Number(answer.headers.get("x-sallyport-length") ?? answer.body.length);
    return {
      bytes: answer.body,
      hostKey: answer.headers.get("x-sallyport-host-key"),
      missing: Math.max(0, length - answer.body.length),
    };
  }

  /** What a host told of a session besides its recording, oldest first. */
  sessionEvents(sessionId: string): Promise<SessionEvent[]> {
    const path = `/sessions/${encodeURIComponent(sessionId)}/events`;
    return this.#json(z.array(SessionEvent), { method: "GET", path });
  }

  /** Newest first; with `lifted` also those that hold no more. */
  holds(lifted: boolean): Promise<Hold[]> {
    return this.#json(z.array(Hold), { method: "GET", path: `/recordings/holds?lifted=${lifted}` });
  }

  placeHold(body: HoldRequest): Promise<Hold> {
    return this.#json(Hold, { method: "POST", path: "/recordings/holds", body });
  }

  liftHold(id: string): Promise<Hold> {
    return this.#json(Hold, { method: "DELETE", path: `/recordings/holds/${encodeURIComponent(id)}` });
  }

  /** A code that signs one browser in to the web page, once. */
  webCode(): Promise<WebCode> {
    return this.#json(WebCode, { method: "POST", path: "/web-sessions", body: {} });
  }

  revoke(body: z.infer<typeof RevocationRequest>): Promise<RevocationAnswer> {
    return this.#json(RevocationResponse, { method: "POST", path: "/revocations", body });
  }

  liftRevocation(body: LiftRequest): Promise<RevocationAnswer> {
    return this.#json(RevocationResponse, { method: "POST", path: "/revocations/lift", body });
  }

  /** Newest first. */
  revocations(filter: RevocationFilter): Promise<RevocationView[]> {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(filter))
      if (value !== undefined) query.set(name, String(value));
    const path = query.size === 0 ? "/revocations" : `/revocations?${query}`;
    return this.#json(z.array(RevocationView), { method: "GET", path });
  }

  /** With all hosts, or only those that do not have it yet. */
  revocation(id: string, hosts: "all" | "missing"): Promise<RevocationDetail> {
    const path = `/revocations/${encodeURIComponent(id)}?hosts=${hosts}`;
    return this.#json(RevocationDetail, { method: "GET", path });
  }

  /** For a contractor their own, for staff all of them. */
  engagements(): Promise<Engagement[]> {
    return this.#json(z.array(Engagement), { method: "GET", path: "/engagements" });
  }

  createEngagement(body: z.input<typeof CreateEngagementRequest>): Promise<EngagementChangeResponse> {
    return this.#json(EngagementChangeResponse, { method: "POST", path: "/engagements", body });
  }

  editEngagement(
    name: string,
    body: z.input<typeof EditEngagementRequest>,
  ): Promise<EngagementChangeResponse> {
    const path = `/engagements/${encodeURIComponent(name)}`;
    return this.#json(EngagementChangeResponse, { method: "PATCH", path, body });
  }

  extendEngagement(
    name: string,
    body: z.input<typeof ExtendEngagementRequest>,
  ): Promise<EngagementChangeResponse> {
    const path = `/engagements/${encodeURIComponent(name)}/extend`;
    return this.#json(EngagementChangeResponse, { method: "POST", path, body });
  }

  /** The newest first. */
  engagementVersions(name: string, limit: number): Promise<EngagementVersion[]> {
    const path = `/engagements/${encodeURIComponent(name)}/versions?limit=${limit}`;
    return this.#json(z.array(EngagementVersion), { method: "GET", path });
  }

  /** Large files take their time; `onSent` is told how far it is. */
  applyPolicy(body: PolicyRequest, onSent?: (bytes: number, of: number) => void): Promise<PolicyResponse> {
    return this.#json(PolicyResponse, {
      ...{ method: "POST", path: "/policy", body, patienceMs: APPLY_PATIENCE_MS },
      ...(onSent === undefined ? {} : { onSent }),
    });
  }

  members(): Promise<MemberView[]> {
    return this.#json(z.array(MemberView), { method: "GET", path: "/members" });
  }

  inviteMember(body: InviteRequest): Promise<MemberView> {
    return this.#json(MemberView, { method: "POST", path: "/members", body });
  }

  withdrawInvitation(id: string, reason: string): Promise<MemberView> {
    const query = new URLSearchParams({ reason });
    const path = `/members/${encodeURIComponent(id)}/invitation?${query}`;
    return this.#json(MemberView, { method: "DELETE", path });
  }

  endEngagement(name: string, reason: string): Promise<Acknowledgements> {
    const body: z.infer<typeof EndEngagementRequest> = { reason };
    return this.#json(Acknowledgements, {
      method: "POST",
      path: `/engagements/${encodeURIComponent(name)}/end`,
      body,
    });
  }

  /** Asks for an approval; the one that is pending already where there is one. */
  requestApproval(body: ApprovalRequest): Promise<ApprovalView> {
    return this.#json(ApprovalView, { method: "POST", path: "/approvals", body });
  }

  /** Newest first. */
  approvals(filter: Partial<ApprovalFilter>): Promise<ApprovalView[]> {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(filter))
      if (value !== undefined) query.set(name, String(value));
    const path = query.size === 0 ? "/approvals" : `/approvals?${query}`;
    return this.#json(z.array(ApprovalView), { method: "GET", path });
  }

  /** By name or id. */
  engagement(name: string): Promise<Engagement> {
    return this.#json(Engagement, { method: "GET", path: `/engagements/${encodeURIComponent(name)}` });
  }

  approval(id: string): Promise<ApprovalView> {
    return this.#json(ApprovalView, { method: "GET", path: `/approvals/${encodeURIComponent(id)}` });
  }

  answerApproval(id: string, body: ApprovalAnswer): Promise<ApprovalOutcome> {
    const path = `/approvals/${encodeURIComponent(id)}/answer`;
    return this.#json(ApprovalOutcome, { method: "POST", path, body });
  }

  withdrawApproval(id: string, reason: string): Promise<ApprovalOutcome> {
    const path = `/approvals/${encodeURIComponent(id)}/withdraw`;
    return this.#json(ApprovalOutcome, { method: "POST", path, body: { reason } });
  }

  createToken(body: TokenRequest): Promise<MadeToken> {
    return this.#json(MadeToken, { method: "POST", path: "/tokens", body });
  }

  /** Newest first. */
  tokens(): Promise<TokenView[]> {
    return this.#json(z.array(TokenView), { method: "GET", path: "/tokens" });
  }

  async revokeToken(id: string): Promise<void> {
    const path = `/tokens/${encodeURIComponent(id)}`;
    await this.#call({ method: "DELETE", path, maxBytes: MAX_JSON });
  }

  /** The verifier key of the audit log. */
  async auditKey(): Promise<string> {
    return (await this.#text("/audit/key")).trim();
  }

  /** A signed checkpoint over the whole audit log. */
  auditCheckpoint(): Promise<string> {
    return this.#text("/audit/checkpoint");
  }

  /** Lines of the audit log from entry `from` on, up to and without `to`; as many as come at once. */
  async auditEntries(from: number, to: number): Promise<string[]> {
    const text = await this.#text(`/audit/entries?from=${from}&to=${to}`);
    return text.split("\n").slice(0, -1);
  }

  async auditFrontier(size: number): Promise<Uint8Array[]> {
    const path = `/audit/frontier?size=${size}`;
    return (await this.#json(FrontierResponse, { method: "GET", path })).hashes;
  }

  /** Proof that the end of a recording is in the audit log. */
  loggedRecording(sessionId: string): Promise<LoggedRecording> {
    const path = `/sessions/${encodeURIComponent(sessionId)}/inclusion`;
    return this.#json(LoggedRecording, { method: "GET", path });
  }

  /** Makes the API token worthless, and what the control plane keeps to renew certificates of this key (a fingerprint). */
  async deleteToken(key?: string): Promise<void> {
    const path = key === undefined ? "/token" : `/token?${new URLSearchParams({ key })}`;
    await this.#call({ method: "DELETE", path, maxBytes: MAX_JSON });
  }

  async #json<T>(schema: { parse(value: unknown): T }, request: Omit<ApiRequest, "maxBytes">): Promise<T> {
    const { body } = await this.#call({ ...request, maxBytes: MAX_JSON });
    try {
      return schema.parse(JSON.parse(body.toString("utf8")));
    } catch (cause) {
      throw new SallyportError(
        "message-malformed",
        `${this.#origin} answered ${request.method} ${request.path} in a way that this sallyport does not understand; is it a Sallyport control plane of this version?`,
        { cause },
      );
    }
  }

  async #text(path: string): Promise<string> {
    const { body } = await this.#call({ method: "GET", path, maxBytes: MAX_TEXT });
    return body.toString("utf8");
  }

  #call(request: ApiRequest): Promise<ApiAnswer> {
    return callApi(this.#origin, this.#token === undefined ? request : { ...request, token: this.#token });
  }
}
