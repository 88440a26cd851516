import { readFileSync } from "node:fs";
import { SallyportError } from "@sallyport/core/errors.ts";
import {
  type KeyKind,
  type KeyStatement,
  keyName,
  verifyKeyStatement,
} from "@sallyport/core/messages/key-succession.ts";
import type { Trust } from "@sallyport/core/messages/trust.ts";
import {
  fingerprint,
  formatPublicKeyLine,
  parsePublicKeyLine,
  type SshPublicKey,
} from "@sallyport/core/ssh/public-key.ts";
import { writeFileDurably } from "@sallyport/uplink/spool/durable.ts";
import { stringify } from "yaml";
import type { PinnedTrust } from "../configuration/pinned-trust.ts";
import { policyJwk, policySshKey } from "./policy-jwk.ts";

/** Keys of one kind that are trusted at once; a chain of successors that were never retired ends here. */
const MAX_KEYS = 10;

interface Needs {
  /** `trust.yaml`. */
  file: string;
  /** Where sshd reads the user CA keys, at every login anew. */
  userCaKeys: string;
  pinned: PinnedTrust;
  /** `kid` of the key that signed the policy on the disk; undefined where there is none. */
  policySignedBy(): string | undefined;
}

/**
 * The keys that this host trusts, and how they follow one another: a pinned key names its successor, once, and the
 * successor says when it is over. What the link or the control plane says counts for nothing without that.
 */
export class PinnedKeys {
  readonly #needs: Needs;
  #pinned: PinnedTrust;

  constructor(needs: Needs) {
    this.#needs = needs;
    this.#pinned = needs.pinned;
  }

  /** Another object whenever a key comes or goes. */
  get trust(): Trust {
    return this.#pinned.trust;
  }

  /** Fingerprints of all trusted keys, once sshd goes by them too; throws where its file cannot be written. */
  fingerprints(): string[] {
    this.#writeUserCaKeys();
    const { userCaKeys, hostCaKeys, policyKeys } = this.trust;
    return [
      ...[...userCaKeys, ...hostCaKeys].map(keyName),
      ...policyKeys.map((jwk) => fingerprint(policySshKey(jwk).blob)),
    ];
  }

  /** Has sshd's file say what is trusted, where a crash came between the two. */
  start(): void {
    this.#writeUserCaKeys();
  }

  /**
   * Goes by a statement; false when it says nothing new. Codes `trust-mismatch` when it is not for this host to believe,
   * and those of `verifyKeyStatement`. On the disk when this returns.
   */
  accept(statement: KeyStatement): boolean {
    const keys = verifyKeyStatement(statement);
    if (statement.controlPlane !== this.trust.controlPlane)
      throw refuse(statement, `it is of ${statement.controlPlane}, another control plane`);
    const changed =
      statement.type === "succession" ? this.#succeed(statement, keys) : this.#retire(statement, keys);
    if (changed === undefined) return false;
    writeFileDurably(this.#needs.file, stringify(changed), 0o600);
    this.#pinned = changed;
    this.#writeUserCaKeys();
    return true;
  }

  #succeed(statement: KeyStatement, keys: Pair): PinnedTrust | undefined {
    const { kind } = statement;
    const known = this.#successions.find((one) => one.kind === kind && one.old === statement.old);
    if (known !== undefined && known.new !== statement.new)
      throw refuse(statement, "the key has another successor already, and has only one");
    if (known !== undefined) return undefined;
    const trusted = this.#trusted(kind);
    const isPinned = (key: SshPublicKey) => trusted.some((line) => line === formatPublicKeyLine(key));
    // A key that came with enrolment in the middle of a rotation is no news, but who its successor is has to be known.
    if (!isPinned(keys.old)) {
      if (isPinned(keys.new) || this.#wasRetired(kind, statement.old)) return undefined;
      throw refuse(statement, "it is signed by a key that is not trusted here");
    }
    if (this.#successions.some((one) => one.kind === kind && one.new === statement.new))
      throw refuse(statement, "the new key follows another one");
    if (trusted.length >= MAX_KEYS && !isPinned(keys.new))
      throw refuse(statement, "too many keys are trusted");
    const successions = [...this.#successions, { kind, old: statement.old, new: statement.new }];
    const lines = isPinned(keys.new) ? trusted : [...trusted, formatPublicKeyLine(keys.new)];
    return { ...this.#with(kind, lines), successions };
  }

  #retire(statement: KeyStatement, keys: Pair): PinnedTrust | undefined {
    const { kind } = statement;
    const trusted = this.#trusted(kind);
    const old = formatPublicKeyLine(keys.old);
    if (!trusted.includes(old)) return undefined;
    const succession = this.#successions.find((one) => one.kind === kind && one.old === statement.old);
    if (succession?.new !== statement.new || !trusted.includes(formatPublicKeyLine(keys.new)))
      throw refuse(statement, "only a key's own successor can say that it is over");
    if (kind === "policy" && this.#needs.policySignedBy() === policyJwk(keys.old).kid)
      throw refuse(statement, "the policy on this host's disk is signed by the old key, and would be lost");
    return this.#with(
      kind,
      trusted.filter((line) => line !== old),
    );
  }

  get #successions(): NonNullable<PinnedTrust["successions"]> {
    return this.#pinned.successions ?? [];
  }

  #wasRetired(kind: KeyKind, line: string): boolean {
    return this.#successions.some((one) => one.kind === kind && one.old === line);
  }

  /** Without comments, so that there is one way to write each. */
  #trusted(kind: KeyKind): string[] {
    const { userCaKeys, hostCaKeys, policyKeys } = this.trust;
    if (kind === "policy") return policyKeys.map((jwk) => formatPublicKeyLine(policySshKey(jwk)));
    const lines = kind === "user-ca" ? userCaKeys : hostCaKeys;
    return lines.map((line) => formatPublicKeyLine(parsePublicKeyLine(line)));
  }

  #with(kind: KeyKind, lines: string[]): PinnedTrust {
    const { trust } = this.#pinned;
    if (kind === "policy") {
      const policyKeys = lines.map((line) => policyJwk(parsePublicKeyLine(line)));
      // Enrolment may have given a key another name than the one that is made from it.
      const kept = policyKeys.map((jwk) => trust.policyKeys.find(({ x }) => x === jwk.x) ?? jwk);
      return { ...this.#pinned, trust: { ...trust, policyKeys: kept } };
    }
    const named = lines.map((line) => `${line} sallyport-${kind}`);
    const keys = kind === "user-ca" ? { userCaKeys: named } : { hostCaKeys: named };
    return { ...this.#pinned, trust: { ...trust, ...keys } };
  }

  #writeUserCaKeys(): void {
    const text = `${this.trust.userCaKeys.join("\n")}\n`;
    if (readText(this.#needs.userCaKeys) !== text) writeFileDurably(this.#needs.userCaKeys, text, 0o644);
  }
}

interface Pair {
  old: SshPublicKey;
  new: SshPublicKey;
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

function refuse({ type, kind, old }: KeyStatement, why: string): SallyportError {
  return new SallyportError(
    "trust-mismatch",
    `A ${type} of the ${kind} key ${keyName(old)} is refused: ${why}.`,
  );
}
