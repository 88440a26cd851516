import { KEYS_CAPABILITY, type ServerMessage } from "@sallyport/core/messages/host-link.ts";
import type { KeyStatement } from "@sallyport/core/messages/key-succession.ts";
import { fingerprint, parsePublicKeyLine } from "@sallyport/core/ssh/public-key.ts";
import type { Host } from "../../database/hosts.ts";
import { noteCertifiedBy, pinnedKeys } from "../../database/key-successions.ts";
import type { Database } from "../../database/tables.ts";
import { seconds } from "../../environment.ts";
import type { Keys } from "../../keys/keys.ts";
import { keyStatements } from "../../keys/rotation.ts";
import { certifiedBy, type HeldHostKey, renewHostCertificates } from "../renew-host-certificates.ts";
import type { HostCertificateNeeds } from "../sign-host-certificate.ts";
import type { Hello } from "./check-hello.ts";

const CERTIFY_MS = 60_000;
const LOOK_MS = 600_000;

/** What a {@link KeyFeed} needs. */
export interface KeyFeedNeeds extends HostCertificateNeeds {
  db: Database;
  keys: Pick<Keys, "hostCa" | "policy">;
}

/** Tells one host of keys that follow keys, and certifies its host keys; says nothing to a host that knows of neither. */
export class KeyFeed {
  readonly #needs: KeyFeedNeeds;
  readonly #host: Pick<Host, "id" | "enrolledAt">;
  readonly #send: (message: ServerMessage) => void;
  readonly #understands: boolean;
  readonly #told = new Set<string>();
  #held: readonly HeldHostKey[] = [];
  #certifiedAt = Number.NEGATIVE_INFINITY;
  #lookedAt = Number.NEGATIVE_INFINITY;
  /** The policy key that the host's stored bundle is signed by, as far as we know. */
  #kid = "";

  constructor(
    needs: KeyFeedNeeds,
    host: Pick<Host, "id" | "enrolledAt">,
    hello: Hello,
    send: (message: ServerMessage) => void,
  ) {
    this.#needs = needs;
    this.#host = host;
    this.#send = send;
    this.#understands = hello.capabilities?.includes(KEYS_CAPABILITY) ?? false;
  }

  /**
   * Successors first, so that the host can verify what they have signed; then `bundle`, told whether it has to be the whole
   * one; then what is over: a host that keeps its policy under a key that is over would have none after a restart.
   */
  async tell(bundle: (whole: boolean) => Promise<void>): Promise<void> {
    const statements = this.#understands ? await keyStatements(this.#needs.db, this.#host.enrolledAt) : [];
    this.#say(statements.filter(({ type }) => type === "succession"));
    const { kid } = this.#needs.keys.policy;
    await bundle(this.#kid === "" ? await this.#signedByOld(statements) : this.#kid !== kid);
    this.#kid = kid;
    this.#say(statements.filter(({ type }) => type === "retirement"));
  }

  /** The host tells which keys sshd has certificates for. Codes as {@link renewHostCertificates}. */
  async held(keys: readonly HeldHostKey[]): Promise<void> {
    const { db, environment } = this.#needs;
    await noteCertifiedBy(db, this.#host.id, certifiedBy(keys), seconds(environment.clock));
    this.#held = keys;
    await this.certify();
  }

  /** As {@link certify}, every ten minutes. */
  async certifyNowAndThen(): Promise<void> {
    if (this.#needs.environment.clock() - this.#lookedAt >= LOOK_MS) await this.certify();
  }

  /** Renews what is due; a host that asks again and again gets new ones once a minute at most. */
  async certify(): Promise<void> {
    const now = this.#needs.environment.clock();
    if (this.#held.length === 0 || now - this.#certifiedAt < CERTIFY_MS) return;
    this.#lookedAt = now;
    const certificates = await renewHostCertificates(this.#needs, this.#host.id, this.#held);
    if (certificates.length === 0) return;
    this.#certifiedAt = now;
    this.#send({ type: "host-certificates", certificates });
  }

  /** True when the host trusts a policy key that has been followed: its policy may be signed by that one. */
  async #signedByOld(statements: readonly KeyStatement[]): Promise<boolean> {
    const old = statements.flatMap(({ kind, type, old }) =>
      kind === "policy" && type === "succession" ? [fingerprint(parsePublicKeyLine(old).blob)] : [],
    );
    if (old.length === 0) return false;
    const pinned = await pinnedKeys(this.#needs.db, this.#host.id);
    return pinned === undefined || old.some((key) => pinned.includes(key));
  }

  #say(statements: readonly KeyStatement[]): void {
    for (const statement of statements) {
      if (this.#told.has(statement.signature)) continue;
      this.#told.add(statement.signature);
      this.#send({ type: "key-statement", statement });
    }
  }
}
