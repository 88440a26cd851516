import assert from "node:assert/strict";
import type { ApprovalOutcome, ApprovalView } from "@sallyport/core/messages/approvals.ts";
import type { WebCode } from "@sallyport/core/messages/recordings.ts";
import { fingerprint, publicKeyFromKeyObject } from "@sallyport/core/ssh/public-key.ts";
import type { Random } from "../../adversary/support/random.ts";
import { certificateRequest } from "./client.ts";
import type { Issued, Persisted, PersistentClient } from "./persistent-client.ts";

/** Somebody who does one thing after the other, and writes down what was acknowledged. */
export interface Worker {
  step(): Promise<void>;
}

/** Signs in again and again, each time with a fresh key; and with what was good once before. */
export class CertificateWorker implements Worker {
  readonly issued: Issued[] = [];
  /** Fingerprints of keys whose certificate was issued, but the answer was lost. */
  readonly lost: string[] = [];
  readonly #client: PersistentClient;
  readonly #random: Random;
  readonly #members: number;

  constructor(client: PersistentClient, random: Random, members: number) {
    this.#client = client;
    this.#random = random;
    this.#members = members;
  }

  async step(): Promise<void> {
    const { key, issued, refusal } = await this.#client.signIn(`m${this.#random.below(this.#members)}`);
    if (issued !== undefined) this.issued.push(issued);
    if (refusal !== undefined) {
      assertUsedBefore(refusal);
      this.lost.push(fingerprint(publicKeyFromKeyObject(key.privateKey).blob));
    }
    if (this.issued.length > 0 && this.#random.below(3) === 0)
      await this.#again(this.#random.pick(this.issued));
  }

  /** In the same words, and with the same ID token for another challenge. */
  async #again({ request, key }: Issued): Promise<void> {
    assertUsedBefore(await this.#client.ask("POST", "/certificates", { body: request }), true);
    const body = certificateRequest(key, request.idToken, await this.#client.challenge());
    const answer = await this.#client.ask("POST", "/certificates", { body });
    assert.match(answer.code ?? String(answer.status), /^(token-invalid|challenge-unknown)$/, answer.message);
  }
}

/** What is good once was used: by an attempt that was not answered, or before. */
function assertUsedBefore(refusal: Persisted, before = false): void {
  assert.match(
    refusal.code ?? String(refusal.status),
    /^(token-invalid|challenge-unknown)$/,
    refusal.message,
  );
  assert.ok(before || refusal.unanswered > 0, `refused at the first attempt: ${refusal.message}`);
}

/** One request for approval, and the last that was acknowledged of it. */
export interface Asked {
  id: string;
  reason: string;
  state: string;
}

/** Members ask, approvers answer, and sometimes take back. `pair` needs two of them. */
export class ApprovalWorker implements Worker {
  readonly asked: Asked[] = [];
  readonly #client: PersistentClient;
  readonly #random: Random;
  /** Tokens: of members, who ask in turn, and of the two approvers. */
  readonly #members: readonly string[];
  readonly #approvers: readonly string[];

  constructor(
    client: PersistentClient,
    random: Random,
    people: { members: readonly string[]; approvers: readonly string[] },
  ) {
    this.#client = client;
    this.#random = random;
    this.#members = people.members;
    this.#approvers = people.approvers;
  }

  async step(): Promise<void> {
    const number = this.asked.length;
    const token = this.#members[number % this.#members.length] ?? "";
    const engagement = this.#random.pick(["login", "pair"]);
    const reason = `${token.slice(-6)} ${number}`;
    const made = await this.#client.ask("POST", "/approvals", { token, body: { engagement, reason } });
    assert.equal(made.status, 201, made.message);
    const asked = { id: (made.body as ApprovalView).id, reason, state: "pending" };
    this.asked.push(asked);
    const decision = this.#random.below(4) === 0 ? "deny" : "approve";
    for (const approver of this.#approvers) {
      if (asked.state === "pending") await this.#answer(asked, approver, decision);
    }
    assert.equal(asked.state, decision === "deny" ? "denied" : "approved");
    // A grant that stays is for the same member's next request to add to.
    if (decision === "approve" && this.#random.below(2) === 0) await this.#withdraw(asked);
  }

  async #answer(asked: Asked, token: string, decision: string): Promise<void> {
    await this.#change(asked, `/approvals/${asked.id}/answer`, { token, body: { decision } });
  }

  async #withdraw(asked: Asked): Promise<void> {
    const token = this.#approvers[0] ?? "";
    await this.#change(asked, `/approvals/${asked.id}/withdraw`, { token, body: { reason: "done" } });
    assert.equal(asked.state, "withdrawn");
  }

  /** Where an attempt was not answered and was carried out, the next is a conflict, and the request tells what became of it. */
  async #change(asked: Asked, path: string, options: { token: string; body: unknown }): Promise<void> {
    const answer = await this.#client.ask("POST", path, options);
    if (answer.status === 200) {
      asked.state = (answer.body as ApprovalOutcome).request.state;
      return;
    }
    assert.ok(
      answer.code === "conflict" && answer.unanswered > 0,
      `${path}: ${answer.code} ${answer.message}`,
    );
    const seen = await this.#client.ask("GET", `/approvals/${asked.id}`, { token: options.token });
    asked.state = (seen.body as ApprovalView).state;
  }
}

/** Codes that sign a browser in, once each. */
export class WebCodeWorker implements Worker {
  /** Sign-ins that were acknowledged, and those whose answer was lost. */
  begun = 0;
  lost = 0;
  readonly #client: PersistentClient;
  readonly #token: string;

  constructor(client: PersistentClient, token: string) {
    this.#client = client;
    this.#token = token;
  }

  async step(): Promise<void> {
    const made = await this.#client.ask("POST", "/web-sessions", { token: this.#token });
    const { code } = made.body as WebCode;
    const first = await this.#use(code);
    if (first.status === 204) this.begun++;
    else {
      assert.ok(first.status === 401 && first.unanswered > 0, `${first.status} ${first.message}`);
      this.lost++;
    }
    assert.equal((await this.#use(code)).status, 401, "a code was good twice");
  }

  #use(code: string): Promise<Persisted> {
    const origin = this.#client.plane.url;
    return this.#client.ask("POST", "/session", { base: "/web", body: { code }, headers: { origin } });
  }
}
