import { readFileSync } from "node:fs";
import { SallyportError } from "@sallyport/core/errors.ts";
import { type Document, isMap, isScalar, LineCounter, parseDocument } from "yaml";
import { z } from "zod";

/** `/etc/sallyport/agent.yaml`. Every field says its meaning, unit, default and danger; the reference comes from here. */
export const AgentConfig = z.strictObject({
  version: z.literal(1),
  /** The shim that sshd runs: root's, not writable by others, mode 0711. */
  shim: z.string().default("/usr/lib/sallyport/shim"),
  /** Keys, policy, JWKS and the spool. Its loss costs the recordings that are not uploaded yet, and the enrolment. */
  stateDirectory: z.string().default("/var/lib/sallyport"),
  /** Where the pinned trust is kept; enrolment writes it, and the agent when a pinned key has named its successor. */
  trustFile: z.string().default("/etc/sallyport/trust.yaml"),
  /** Policies of this host's own administrator, `*.yaml`: they narrow what the control plane's policy allows. */
  localPolicyDirectory: z.string().default("/etc/sallyport/policy.d"),
  /** sshd's drop-in, which must sort before the distribution's own. */
  sshdDropIn: z.string().default("/etc/ssh/sshd_config.d/10-sallyport.conf"),
  /** The group of accounts that Sallyport guards. An account outside of it is not touched by anything of ours. */
  group: z.string().default("sallyport"),
  /** The system user that sshd runs our AuthorizedPrincipalsCommand as; it may talk to one socket and nothing else. */
  sshdUser: z.string().default("sallyport-sshd"),
  /** The shell that a session runs for accounts whose login shell is the shim. */
  shell: z.string().default("/bin/bash"),
  /** sshd's program file. A login counts only when this program asked for it. */
  sshd: z.string().default("/usr/sbin/sshd"),
  /** Recorders to keep; 0 means one per core. */
  recorders: z.int().min(0).max(256).default(0),
  /** Free space that must be left for a login to be admitted, in MiB, so that running sessions can end cleanly. */
  diskReserve: z.int().min(1).default(64),
  /** Free inodes that must be left where the spool is for a login to be admitted; a session takes up to six. */
  inodeReserve: z.int().min(1).default(1000),
  /**
   * What the spool may take, in MiB, recordings that were set aside included. When it is reached logins are refused;
   * running sessions may take `diskReserve` more, then the largest is ended. Nothing is removed before it is uploaded.
   */
  spoolLimit: z.int().min(1).default(4096),
  /**
   * Days after which a recording that is not uploaded is reported, once a day, and one that was set aside is removed:
   * look at `rejected/` in time.
   */
  spoolAge: z.int().min(1).max(3650).default(30),
  /** Hours that recordings stay here after the control plane has stored them; they give way when room is short. */
  localRetention: z.int().min(0).max(8760).default(0),
  /** `strict`: for every session here, nothing is shown of a block before the block before it is on the disk. */
  durability: z.enum(["normal", "strict"]).default("normal"),
  /**
   * Uids of the members' own accounts on this host, each given once and never again. Above those of ordinary accounts,
   * systemd's (61184 to 65519) and 65535; below subordinate uids (from 100000) and those of directory services.
   */
  personalUids: z
    .strictObject({ from: z.int().min(1000).max(4_000_000_000), to: z.int().min(1000).max(4_000_000_000) })
    .refine(({ from, to }) => from <= to, "the range ends after it begins")
    .default({ from: 70_000, to: 99_999 }),
  /** Seconds between refreshes of the identity providers' keys. */
  jwksRefresh: z.int().min(30).default(600),
  /** The group that may read metrics from `metrics.sock`, beside root; null: root alone. */
  metricsGroup: z.string().max(64).nullable().default(null),
  /** `info` or `debug`. */
  logLevel: z.enum(["info", "debug"]).default("info"),
});
export type AgentConfig = Readonly<z.infer<typeof AgentConfig>>;

/** Reads the configuration. Codes `config-missing`, `config-invalid`; the message has file, line and column. */
export function readAgentConfig(path: string): AgentConfig {
  return Object.freeze(readYaml(path, AgentConfig));
}

/** Reads a YAML file against a schema. Codes `config-missing`, `config-invalid`. */
export function readYaml<T>(path: string, schema: z.ZodType<T>): T {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new SallyportError("config-missing", `${path} cannot be read. Run: sallyport-agent enroll`, {
      cause,
    });
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  const [error] = document.errors;
  if (error !== undefined) throw new SallyportError("config-invalid", `${path}: ${error.message}`);
  const result = schema.safeParse(plain(path, document));
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const keys = (issue as { keys?: string[] } | undefined)?.keys ?? [];
  const at = [...(issue?.path ?? []), ...keys.slice(0, 1)] as string[];
  const node = keys.length > 0 ? keyNode(document, at) : document.getIn(at, true);
  const range = ((node ?? document.contents) as { range?: [number, number, number] } | null)?.range;
  const place = range ? lines.linePos(range[0]) : { line: 1, col: 1 };
  throw new SallyportError(
    "config-invalid",
    `${path}:${place.line}:${place.col}: ${at.join(".")}: ${issue?.message}`,
  );
}

function plain(path: string, document: Document): unknown {
  try {
    return document.toJS();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SallyportError("config-invalid", `${path}: ${reason}`, { cause });
  }
}

/** The node of a key itself: what stands behind it may begin lines later. */
function keyNode(document: Document, at: string[]): unknown {
  const map = at.length > 1 ? document.getIn(at.slice(0, -1), true) : document.contents;
  const pairs = isMap(map) ? map.items : [];
  return pairs.find(({ key }) => isScalar(key) && key.value === at.at(-1))?.key;
}
