import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import type { EngagementChangeResponse, EngagementView } from "@sallyport/core/messages/engagements.ts";
import { parseJoinToken } from "@sallyport/core/messages/trust.ts";
import { formatPublicKeyLine, publicKeyFromKeyObject } from "@sallyport/core/ssh/public-key.ts";
import type { Random } from "../../adversary/support/random.ts";
import type { TestHost } from "./host.ts";
import type { Worker } from "./killed-members.ts";
import type { Issued, PersistentClient } from "./persistent-client.ts";

/** A revocation that was acknowledged. */
export interface Revoked {
  id: string;
  sequence: number;
  level: string;
  target: string;
  unanswered: number;
}

/** Revokes keys that nobody has, and certificates that somebody has. */
export class RevocationWorker implements Worker {
  readonly revoked: Revoked[] = [];
  readonly #client: PersistentClient;
  readonly #random: Random;
  readonly #token: string;
  readonly #issued: readonly Issued[];

  constructor(client: PersistentClient, random: Random, has: { token: string; issued: readonly Issued[] }) {
    this.#client = client;
    this.#random = random;
    this.#token = has.token;
    this.#issued = has.issued;
  }

  async step(): Promise<void> {
    const isCertificate = this.#issued.length > 0 && this.#random.below(2) === 0;
    const issued = isCertificate ? this.#random.pick(this.#issued) : undefined;
    const key = `SHA256:${randomBytes(32).toString("base64").slice(0, 43)}`;
    const level = issued === undefined ? "key" : "certificate";
    const target = issued?.answer.certificate?.serial ?? key;
    const body = { level, target, reason: `test ${this.revoked.length}` };
    const answer = await this.#client.ask("POST", "/revocations", { token: this.#token, body });
    assert.equal(answer.status, 201, answer.message);
    const { id, sequence } = answer.body as Revoked;
    this.revoked.push({ id, sequence, level, target, unanswered: answer.unanswered });
  }
}

/** A version of an engagement that was acknowledged, and the reason that was given with it. */
export interface Changed {
  id: string;
  version: number;
  why: string;
}

/** Creates engagements, edits them, and ends them. */
export class EngagementWorker implements Worker {
  readonly changed: Changed[] = [];
  readonly #client: PersistentClient;
  readonly #token: string;
  #made = 0;

  constructor(client: PersistentClient, token: string) {
    this.#client = client;
    this.#token = token;
  }

  async step(): Promise<void> {
    const name = `work-${this.#made++}`;
    const engagement = {
      ...{ name, vendor: "vendor", members: ["m0@vendor.test"], hosts: { labels: { env: "test" } } },
      ...{ accounts: ["deploy"], start: "2020-01-01", end: "2089-01-01", contact: "admin@acme.test" },
    };
    await this.#change("POST", "", 1, { engagement, reason: `${name} 1` }, name);
    for (const version of [2, 3]) {
      const edit = { version: version - 1, change: { accounts: [`deploy${version}`] } };
      await this.#change("PATCH", `/${name}`, version, { ...edit, reason: `${name} ${version}` }, name);
    }
    const end = { reason: `${name} 4` };
    const ended = await this.#client.ask("POST", `/engagements/${name}/end`, {
      token: this.#token,
      body: end,
    });
    assert.ok(ended.status === 200 || (ended.code === "conflict" && ended.unanswered > 0), ended.message);
  }

  /** An attempt that was carried out and not answered makes the next one a conflict. */
  async #change(
    method: string,
    path: string,
    version: number,
    body: { reason: string; [key: string]: unknown },
    name: string,
  ) {
    const token = this.#token;
    const answer = await this.#client.ask(method, `/engagements${path}`, { token, body });
    const isLost = answer.code === "conflict" && answer.unanswered > 0;
    assert.ok(answer.status < 300 || isLost, `${method} ${name}: ${answer.code} ${answer.message}`);
    const now = isLost ? await this.#client.ask("GET", `/engagements/${name}`, { token }) : answer;
    const { id, version: has } = now.body as EngagementChangeResponse | EngagementView;
    assert.equal(has, version, `${name} after ${answer.unanswered} attempts without an answer`);
    this.changed.push({ id, version, why: body.reason });
  }
}

/** Makes join tokens and enrols a host with each, once. */
export class EnrolmentWorker implements Worker {
  readonly enrolled: TestHost[] = [];
  /** Keys of hosts that were enrolled, but the answer was lost. */
  readonly lost: string[] = [];
  readonly #client: PersistentClient;
  readonly #token: string;

  constructor(client: PersistentClient, token: string) {
    this.#client = client;
    this.#token = token;
  }

  async step(): Promise<void> {
    const name = `host-${this.enrolled.length + this.lost.length}`;
    const joinToken = await this.#joinToken(name);
    const keys = generateKeyPairSync("ed25519");
    const answer = await this.#enrol(joinToken, hostKeyOf(keys));
    if (answer.status === 201) {
      const { hostId: id, hostCertificates: certificates } = answer.body as never;
      this.enrolled.push({ id, name, key: keys.privateKey, hostKey: hostKeyOf(keys), certificates });
    } else {
      assert.ok(answer.code === "conflict" && answer.unanswered > 0, `${answer.code} ${answer.message}`);
      this.lost.push(hostKeyOf(keys));
    }
    const again = await this.#enrol(joinToken, hostKeyOf(generateKeyPairSync("ed25519")));
    assert.equal(again.code, "conflict", "a join token was good twice");
  }

  async #joinToken(name: string): Promise<string> {
    const body = { name, address: "127.0.0.1", port: 7302, labels: { env: "test" } };
    const answer = await this.#client.ask("POST", "/join-tokens", { token: this.#token, body });
    assert.equal(answer.status, 201, answer.message);
    return (answer.body as { joinToken: string }).joinToken;
  }

  #enrol(joinToken: string, hostKey: string) {
    const { id: tokenId, secret } = parseJoinToken(joinToken);
    const { publicKey } = generateKeyPairSync("ed25519");
    const sshHostKeys = [formatPublicKeyLine(publicKeyFromKeyObject(publicKey))];
    return this.#client.ask("POST", "/hosts", { body: { v: 1, tokenId, secret, hostKey, sshHostKeys } });
  }
}

function hostKeyOf({ publicKey }: { publicKey: KeyObject }): string {
  return publicKey.export({ format: "jwk" }).x ?? "";
}
