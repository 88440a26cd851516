import { createHash, randomBytes } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { KeyKind } from "@sallyport/core/messages/key-succession.ts";
import { parsePublicKeyLine, type SshPublicKey } from "@sallyport/core/ssh/public-key.ts";
import { keySigner, type Signer } from "@sallyport/core/ssh/signer.ts";
import { SshAgents } from "./agent-signer.ts";
import type { AgentKey, KeyConfiguration } from "./key-configuration.ts";
import { createKeyFile, type KeyFile, readKeyFile } from "./key-file.ts";

const AUDIT_LOG = "audit-log.pem";

/** The private keys that this process can sign with: files of one directory, and what the configuration has in ssh-agents. */
export class KeyRing {
  readonly directory: string;
  readonly #configured: Record<KeyKind, readonly AgentKey[]>;
  readonly #auditLog: readonly AgentKey[];
  readonly #passphrase: string | undefined;
  readonly #agents = new SshAgents();
  readonly #files = new Map<string, KeyFile & { signer: Signer }>();

  /** `passphrase` opens the files, and encrypts new ones. */
  constructor(directory: string, config: KeyConfiguration, passphrase?: string) {
    this.directory = directory;
    this.#auditLog = config.auditLog;
    this.#configured = { "user-ca": config.userCa, "host-ca": config.hostCa, policy: config.policy };
    this.#passphrase = passphrase;
  }

  /** Every key of this kind, the first file before others. Code `config-invalid` for a file that is none. */
  all(kind: KeyKind): Signer[] {
    return [...this.#filesOf(kind).map((name) => this.#read(name).signer), ...this.inAgents(kind)];
  }

  /** What the configuration says of this kind. */
  inAgents(kind: KeyKind): Signer[] {
    return this.#configured[kind].map(({ agent, publicKey }) =>
      this.#agents.signer(agent, parsePublicKeyLine(publicKey)),
    );
  }

  /** The key that hosts know by this public key; where it is in an agent and in a file, the agent's. */
  find(kind: KeyKind, key: SshPublicKey): Signer | undefined {
    return this.all(kind).findLast(({ publicKey }) => isSameKey(publicKey, key));
  }

  /** The file that a first key of this kind is in. */
  firstFile(kind: KeyKind): string {
    return join(this.directory, `${kind}.pem`);
  }

  /** True when there is a key of this kind; files are not opened. */
  has(kind: KeyKind): boolean {
    return this.#configured[kind].length > 0 || this.#filesOf(kind).length > 0;
  }

  /** Makes the first key of this kind, in a file. */
  createFirst(kind: KeyKind): void {
    createKeyFile(this.firstFile(kind), this.#passphrase);
  }

  /** Makes one more key of this kind, in a file named after `at`, in seconds, and by chance: two may begin at once. */
  createNext(kind: KeyKind, at: number): Signer {
    const stamp = new Date(at * 1000).toISOString().replace(/[-:]|\.\d+/g, "");
    const file = join(this.directory, `${kind}-${stamp}-${randomBytes(4).toString("hex")}.pem`);
    return keySigner(createKeyFile(file, this.#passphrase).privateKey);
  }

  /** The key that signs the audit log's checkpoints; undefined where it was not made yet. */
  auditLog(): Signer | undefined {
    const [inAgent] = this.#auditLog;
    if (inAgent !== undefined)
      return this.#agents.signer(inAgent.agent, parsePublicKeyLine(inAgent.publicKey));
    return existsSync(this.auditLogFile) ? this.#read(AUDIT_LOG).signer : undefined;
  }

  /** Makes the key of an audit log that begins. */
  createAuditLog(): Signer {
    createKeyFile(this.auditLogFile, this.#passphrase);
    this.#files.delete(AUDIT_LOG);
    return this.#read(AUDIT_LOG).signer;
  }

  /** The file of the audit log's key, unless that is in an agent. */
  get auditLogFile(): string {
    return join(this.directory, AUDIT_LOG);
  }

  /** Files that were read and are not encrypted. */
  get unencrypted(): string[] {
    return [...this.#files].flatMap(([name, { encrypted }]) =>
      encrypted ? [] : [join(this.directory, name)],
    );
  }

  #filesOf(kind: KeyKind): string[] {
    if (!existsSync(this.directory)) return [];
    const pattern = new RegExp(`^${kind}(-\\d{8}T\\d{6}Z-[0-9a-f]{8})?\\.pem$`);
    return readdirSync(this.directory)
      .filter((name) => pattern.test(name))
      .sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
  }

  #read(name: string): KeyFile & { signer: Signer } {
    const known = this.#files.get(name);
    if (known !== undefined) return known;
    const read = readKeyFile(join(this.directory, name), this.#passphrase);
    const key = { ...read, signer: keySigner(read.privateKey) };
    this.#files.set(name, key);
    return key;
  }
}

/** True for one key, however it was read. */
export function isSameKey(a: SshPublicKey, b: SshPublicKey): boolean {
  return Buffer.compare(a.blob, b.blob) === 0;
}

/** The name of an Ed25519 key in a JWS header: its JWK thumbprint (RFC 7638). A `TypeError` for another key. */
export function policyKeyId(key: SshPublicKey): { kid: string; x: string } {
  const { x, crv } = key.key.export({ format: "jwk" });
  if (x === undefined || crv !== "Ed25519") throw new TypeError("a policy key is an Ed25519 key");
  const kid = createHash("sha256").update(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`).digest("base64url");
  return { kid, x };
}
