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
  /** Where the pinned trust is kept; only enrolment writes it. */
  trustFile: z.string().default("/etc/sallyport/trust.yaml"),
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
  /** Seconds between refreshes of the identity providers' keys. */
  jwksRefresh: z.int().min(30).default(600),
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
