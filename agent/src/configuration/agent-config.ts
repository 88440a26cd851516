import { readFileSync } from "node:fs";
import { SallyportError } from "@sallyport/core/errors.ts";
import { type Document, isMap, isScalar, LineCounter, parseDocument } from "yaml";
import { z } from "zod";

/** `/etc/sallyport/agent.yaml`. The descriptions are its manual: docs/config.md and sallyport-agent.yaml(5) are made from them. */
export const AgentConfig = z.strictObject({
  version: z.literal(1).describe("Version of this file's format."),
  shim: z
    .string()
    .default("/usr/lib/sallyport/shim")
    .describe(
      "The shim that sshd runs: root's, not writable by others, mode 0711. Danger: whoever can write it, or a directory above, is in " +
        "every session.",
    ),
  stateDirectory: z
    .string()
    .default("/var/lib/sallyport")
    .describe(
      "Keys, policy, JWKS and the spool. Danger: its loss costs the recordings that are not uploaded yet, and the enrolment.",
    ),
  trustFile: z
    .string()
    .default("/etc/sallyport/trust.yaml")
    .describe(
      "Where the pinned trust is kept; enrolment writes it, and the agent when a pinned key has named its successor. Danger: " +
        "whoever writes it decides who may log in.",
    ),
  localPolicyDirectory: z
    .string()
    .default("/etc/sallyport/policy.d")
    .describe(
      "Policies of this host's own administrator, `*.yaml`: they narrow what the control plane's policy allows. Danger: where others " +
        "may write to the directory, no contractor is let in.",
    ),
  sshdDropIn: z
    .string()
    .default("/etc/ssh/sshd_config.d/10-sallyport.conf")
    .describe(
      "sshd's drop-in, which must sort before the distribution's own: sshd takes the first value of a keyword.",
    ),
  group: z
    .string()
    .default("sallyport")
    .describe(
      "The group of accounts that Sallyport guards. An account outside of it is not touched by anything of ours. Danger: nor is it " +
        "guarded.",
    ),
  sshdUser: z
    .string()
    .default("sallyport-sshd")
    .describe(
      "The system user that sshd runs our AuthorizedPrincipalsCommand as; it may talk to one socket and nothing else. Danger: use it " +
        "for nothing else.",
    ),
  shell: z
    .string()
    .default("/bin/bash")
    .describe("The shell that a session runs for accounts whose login shell is the shim."),
  sshd: z
    .string()
    .default("/usr/sbin/sshd")
    .describe("sshd's program file. A login counts only when this program asked for it."),
  recorders: z
    .int()
    .min(0)
    .max(256)
    .default(0)
    .describe("Recorders to keep; 0 means one per core. With fewer, the death of one ends more sessions."),
  diskReserve: z
    .int()
    .min(1)
    .default(64)
    .describe(
      "Free space that must be left for a login to be admitted, in MiB, so that running sessions can end cleanly. Danger: with too " +
        "little they stop in the middle.",
    ),
  inodeReserve: z
    .int()
    .min(1)
    .default(1000)
    .describe(
      "Free inodes that must be left where the spool is for a login to be admitted; a session takes up to six.",
    ),
  spoolLimit: z
    .int()
    .min(1)
    .default(4096)
    .describe(
      "What the spool may take, in MiB, recordings that were set aside included. When it is reached logins are refused; running " +
        "sessions may take `diskReserve` more, then the largest is ended. Nothing is removed before it is uploaded.",
    ),
  spoolAge: z
    .int()
    .min(1)
    .max(3650)
    .default(30)
    .describe(
      "Days after which a recording that is not uploaded is reported, once a day, and one that was set aside is removed. Danger: " +
        "what is removed is gone; look at `rejected/` in time.",
    ),
  localRetention: z
    .int()
    .min(0)
    .max(8760)
    .default(0)
    .describe(
      "Hours that recordings stay here after the control plane has stored them; they give way when room is short.",
    ),
  durability: z
    .enum(["normal", "strict"])
    .default("normal")
    .describe(
      "`strict`: for every session here, nothing is shown of a block before the block before it is on the disk. Slower; for hosts " +
        "that must not lose a second of a recording in a power cut.",
    ),
  personalUids: z
    .strictObject({
      from: z.int().min(1000).max(4_000_000_000).describe("The first of them."),
      to: z
        .int()
        .min(1000)
        .max(4_000_000_000)
        .describe("The last of them. Raise it when all are used up; do not lower it."),
    })
    .refine(({ from, to }) => from <= to, "the range ends after it begins")
    .default({ from: 70_000, to: 99_999 })
    .describe(
      "Uids of the members' own accounts on this host, each given once and never again. Above those of ordinary accounts, systemd's " +
        "(61184 to 65519) and 65535; below subordinate uids (from 100000) and those of directory services. Danger: a uid that " +
        "something else uses too owns what that owns.",
    ),
  jwksRefresh: z
    .int()
    .min(30)
    .default(600)
    .describe(
      "Seconds between refreshes of the identity providers' keys. Long: a key that a provider has withdrawn counts longer.",
    ),
  metricsGroup: z
    .string()
    .max(64)
    .nullable()
    .default(null)
    .describe("The group that may read metrics from `metrics.sock`, beside root; null: root alone."),
  logLevel: z
    .enum(["info", "debug"])
    .default("info")
    .describe("How much is logged. Neither level has tokens, certificates or what is typed."),
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
