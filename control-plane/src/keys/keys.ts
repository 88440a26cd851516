import { existsSync, mkdirSync } from "node:fs";
import { SallyportError } from "@sallyport/core/errors.ts";
import { KeyKind } from "@sallyport/core/messages/key-succession.ts";
import {
  fingerprint,
  formatPublicKeyLine,
  parsePublicKeyLine,
  type SshPublicKey,
} from "@sallyport/core/ssh/public-key.ts";
import type { Signer } from "@sallyport/core/ssh/signer.ts";
import { keySuccessions, noteFirstKey } from "../database/key-successions.ts";
import type { Database, KeySuccessionsTable } from "../database/tables.ts";
import { PROGRAM_NAME } from "../program-name.ts";
import { KeyConfiguration } from "./key-configuration.ts";
import { isSameKey, KeyRing, policyKeyId } from "./key-ring.ts";

/** How the keys of one kind stand. */
interface KindState {
  signing: Signer;
  /** What hosts and clients trust, oldest first: one key, or two in the middle of a rotation. */
  trusted: SshPublicKey[];
}

/**
 * The keys of the control plane. Who has `userCa` can sign user certificates (and still needs an IdP's token); who has
 * `hostCa` can pretend to be a server; who has `policy` can grant access. Which of several keys signs is told by the
 * database, so that every process agrees; {@link Keys.load} looks.
 */
export class Keys {
  readonly ring: KeyRing;
  readonly #states = new Map<KeyKind, KindState>();

  constructor(ring: KeyRing) {
    this.ring = ring;
  }

  /** Another text whenever other keys sign or are trusted. */
  get version(): string {
    return [...this.#states.values()]
      .flatMap(({ signing, trusted }) => [signing.publicKey, ...trusted].map(({ blob }) => fingerprint(blob)))
      .join(" ");
  }

  get userCa(): Signer {
    return this.#state("user-ca").signing;
  }

  get hostCa(): Signer {
    return this.#state("host-ca").signing;
  }

  get policy(): { signer: Signer; kid: string } {
    const { signing } = this.#state("policy");
    return { signer: signing, kid: policyKeyId(signing.publicKey).kid };
  }

  /** The key of this kind that signs. */
  signing(kind: KeyKind): Signer {
    return this.#state(kind).signing;
  }

  /** True when the newest key is the one that signs. */
  isSwitched(kind: KeyKind): boolean {
    const { signing, trusted } = this.#state(kind);
    const newest = trusted.at(-1);
    return newest !== undefined && isSameKey(signing.publicKey, newest);
  }

  /** What hosts and clients are to trust, oldest first. */
  trusted(kind: KeyKind): readonly SshPublicKey[] {
    return this.#state(kind).trusted;
  }

  /**
   * Looks which keys sign now, and which are trusted. Code `config-invalid` when the key that
   * hosts trust is not here.
   */
  async load(db: Database): Promise<void> {
    const successions = await keySuccessions(db);
    const states = new Map<KeyKind, KindState>();
    for (const kind of KeyKind.options) {
      const last = successions.findLast((succession) => succession.kind === kind);
      states.set(kind, last === undefined ? await this.#first(db, kind) : this.#after(kind, last));
    }
    for (const [kind, state] of states) this.#states.set(kind, state);
  }

  #after(kind: KeyKind, last: KeySuccessionsTable): KindState {
    const [before, after] = [parsePublicKeyLine(last.old_key), parsePublicKeyLine(last.new_key)];
    const trusted = last.finished_at === null ? [before, after] : [after];
    return { signing: this.#find(kind, last.switched_at === null ? before : after), trusted };
  }

  async #first(db: Database, kind: KeyKind): Promise<KindState> {
    const known = this.#states.get(kind);
    if (known !== undefined) return known; // what came first never changes
    const [candidate] = this.ring.all(kind);
    const line = candidate === undefined ? "" : formatPublicKeyLine(candidate.publicKey);
    const first = parsePublicKeyLine(await noteFirstKey(db, kind, line));
    return { signing: this.#find(kind, first), trusted: [first] };
  }

  #find(kind: KeyKind, key: SshPublicKey): Signer {
    const found = this.ring.find(kind, key);
    if (found !== undefined) return found;
    throw new SallyportError(
      "config-invalid",
      `The ${kind} key ${fingerprint(key.blob)} that hosts trust is neither in ${this.ring.directory} nor among \`keys\` in ` +
        `the configuration: restore it. To use another, restore this one first, then: ${PROGRAM_NAME} rotate-key`,
    );
  }

  #state(kind: KeyKind): KindState {
    const state = this.#states.get(kind);
    if (state === undefined) throw new TypeError("the keys were not loaded");
    return state;
  }
}

/**
 * Opens the keys in `directory` and those that the configuration has in agents, making all files where there are none;
 * {@link Keys.load} comes next. Code `config-invalid` when some are missing, or all are and there is a database already:
 * new keys would lock every enrolled host out.
 */
export function openKeys(
  directory: string,
  database: { file: string; exists: boolean },
  options: { keys?: KeyConfiguration; passphrase?: string | undefined } = {},
): Keys {
  const ring = new KeyRing(directory, options.keys ?? KeyConfiguration.parse({}), options.passphrase);
  const kinds = KeyKind.options;
  const missing = kinds.filter((kind) => !ring.has(kind));
  const hasFiles = kinds.some((kind) => existsSync(ring.firstFile(kind)));
  if (missing.length > 0 && !database.exists && !hasFiles) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (const kind of missing) ring.createFirst(kind);
  } else if (missing.length > 0) {
    const other = database.exists ? `the database ${database.file}` : `other keys in ${directory}`;
    const files = missing.map((kind) => ring.firstFile(kind)).join(" and ");
    throw new SallyportError(
      "config-invalid",
      `${files} missing, but ${other} is there. Hosts trust the old keys: restore them from a backup, ` +
        "or start anew with an empty dataDirectory.",
    );
  }
  for (const kind of kinds) ring.all(kind);
  return new Keys(ring);
}

/** A key's line for `TrustedUserCAKeys` or `@cert-authority`. */
export function caLine(key: SshPublicKey, comment: string): string {
  return formatPublicKeyLine(key, comment);
}
