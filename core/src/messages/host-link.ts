import { z } from "zod";
import { SallyportError } from "../errors.ts";
import { DisplayText, Id, SessionId } from "../names.ts";
import { Revocation } from "../policy/revocation.ts";
import { printable } from "../terminal-text.ts";
import { HostFacts } from "./host-facts.ts";
import { KeyStatement } from "./key-succession.ts";

/*
 * The WebSocket between a host and the control plane (`/api/v1/host-link`). Text messages are JSON of the shapes
 * below; a binary message is one block of a recording as `recording/block.ts` writes it. The host signs in first:
 * the server sends `challenge`, the host answers `hello`, the server answers `welcome` or closes with 4401.
 * Nothing that arrives changes anything until it has passed its schema.
 */

/** What a host understands beyond the first version of the link; the server sends nothing of it to others. */
export const KEYS_CAPABILITY = "keys-1";
/** It knows engagements of modes `commands` and `files`; to others a bundle has none of them. */
export const COMMANDS_CAPABILITY = "commands-1";

/** It keeps the revocation list apart from its bundle, and knows all levels; to others the bundle has it, in the words that they know. */
export const REVOCATIONS_CAPABILITY = "revocations-1";
/** Most entries in one message of the list. */
export const MAX_REVOCATIONS_AT_ONCE = 2000;

/** A line of an OpenSSH public key or certificate file. */
const SshLine = z
  .string()
  .max(90_000)
  .regex(/^[a-z0-9@.-]+ [A-Za-z0-9+/=]+( [!-~ ]*)?$/);
/** As in OpenSSH, `SHA256:` and base64. */
const Fingerprint = z.string().regex(/^SHA256:[A-Za-z0-9+/]{43}$/);

/** Largest message either side accepts, in bytes; a bundle for one host must fit. */
export const MAX_LINK_MESSAGE = 16 * 1024 * 1024;

const HELLO_CONTEXT = "sallyport-host-link-v1\0";

/** What the host signs with its Ed25519 key to sign in: the server's nonce, and which server and host are meant. */
export function helloStatement(server: string, hostId: string, nonce: string): Uint8Array {
  return Buffer.from(`${HELLO_CONTEXT}${JSON.stringify([server, hostId, nonce])}`);
}

/** A decision or another event on a host, kept until acknowledged. `id` makes delivery at-least-once harmless. */
export const HostEvent = z.strictObject({
  id: Id,
  /** Milliseconds since the epoch, by the host's clock. */
  at: z.number(),
  type: z.enum([
    "login-admitted",
    "login-refused",
    "session-started",
    "session-ended",
    "session-ended-by-policy",
    "command-started",
    "command-refused",
    "file-moved",
    "file-refused",
    "forward-opened",
    "forward-closed",
    "watchdog-killed",
    "left-behind-ended",
    "account-created",
    "account-locked",
    "account-removed",
    "local-policy-changed",
    "recording-recovered",
    "recording-damaged",
    "trouble",
  ]),
  account: z.string().max(64).nullable(),
  sourceAddress: z.string().max(64).nullable(),
  certificateSerial: z.string().max(20).nullable(),
  memberId: z.string().max(64).nullable(),
  issuer: z.string().max(500).nullable(),
  subject: z.string().max(255).nullable(),
  engagementId: z.string().max(64).nullable(),
  sessionId: z.string().max(64).nullable(),
  /** Refusal code, or a code of the trouble. */
  code: z.string().max(64).nullable(),
  detail: z.string().max(2000),
  told: z.string().max(2000).nullable(),
});
export type HostEvent = z.infer<typeof HostEvent>;

/** From the host. */
export const HostMessage = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("hello"),
    v: z.literal(1),
    hostId: Id,
    agentVersion: z.string().max(64),
    /** Base64url Ed25519 signature over `helloStatement(…)`. */
    signature: z.string().max(128),
    bundleVersion: z.int().min(0),
    revocationSequence: z.int().min(0),
    /** What the host understands, see {@link KEYS_CAPABILITY}; names that the server does not know mean nothing to it. */
    capabilities: z.array(z.string().max(64)).max(32).optional(),
    /** `chainRevocation` at `revocationSequence`: another one than the server's means another list, and it sends the whole one. */
    revocationChain: z.string().max(64).optional(),
  }),
  /** Entries are missing here: answered with those after this number; 0 asks for the whole list. */
  z.strictObject({ type: z.literal("revocations-query"), after: z.int().min(0) }),
  /** The keys of the control plane that this host trusts now: after `welcome`, and when they change. */
  z.strictObject({ type: z.literal("keys-pinned"), keys: z.array(Fingerprint).max(64) }),
  /** The host keys that sshd has certificates of ours for: after `welcome`, and when certificates were put in place. */
  z.strictObject({
    type: z.literal("ssh-host-keys"),
    keys: z.array(z.strictObject({ key: SshLine, certificate: SshLine.nullable() })).max(10),
  }),
  /** Where does the upload of this recording go on? Answered with `recording-offset`. */
  z.strictObject({ type: z.literal("recording-query"), recording: SessionId }),
  z.strictObject({ type: z.literal("event"), event: HostEvent }),
  /** All entries up to this one are stored and in force, and what they end has ended. */
  z.strictObject({
    type: z.literal("revocation-ack"),
    sequence: z.int().min(1),
    endedSessions: z.array(SessionId).max(10_000),
  }),
  z.strictObject({ type: z.literal("bundle-ack"), version: z.int().min(1) }),
  z.strictObject({
    type: z.literal("heartbeat"),
    liveSessions: z.array(SessionId).max(10_000),
    spoolBytes: z.int().min(0),
    clock: z.number(),
    /** With the first heartbeat of a connection, and when they were gathered anew. */
    facts: HostFacts.optional(),
  }),
]);
export type HostMessage = z.infer<typeof HostMessage>;

/** From the control plane. */
export const ServerMessage = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("challenge"),
    v: z.literal(1),
    server: z.string().max(500),
    nonce: z.string().max(128),
  }),
  z.strictObject({ type: z.literal("welcome"), clock: z.number() }),
  /** JWS (compact) of a Bundle by a policy key. */
  z.strictObject({ type: z.literal("bundle"), jws: z.string().max(MAX_LINK_MESSAGE) }),
  /** JWS (compact) of a Lease by a policy key. */
  z.strictObject({ type: z.literal("lease"), jws: z.string().max(8192) }),
  /** One entry, to hosts without {@link REVOCATIONS_CAPABILITY}. */
  z.strictObject({ type: z.literal("revocation"), entry: Revocation }),
  /**
   * Entries that follow `after` without a gap: a push, the answer to `revocations-query`, or what a host missed, which it gets before
   * its bundle or lease. From `after` 0 on it is the whole list, and replaces what the host has once it is complete.
   */
  z.strictObject({
    type: z.literal("revocations"),
    after: z.int().min(0),
    entries: z.array(Revocation).max(MAX_REVOCATIONS_AT_ONCE),
    /** The newest number there is. */
    sequence: z.int().min(0),
  }),
  /** Blocks up to and without `nextSequence` are stored durably. */
  z.strictObject({
    type: z.literal("recording-offset"),
    recording: SessionId,
    nextSequence: z.int().min(0),
    /** The end record is stored too: the local copy may go. */
    complete: z.boolean(),
  }),
  /** This block can never be stored (broken chain, bad signature): set it aside, do not send it again. */
  z.strictObject({
    type: z.literal("recording-rejected"),
    recording: SessionId,
    sequence: z.int().min(0),
    code: z.string().max(64),
    message: DisplayText,
  }),
  /** Blocks of this recording cannot be stored at the moment: keep them, and ask for it again after a pause. */
  z.strictObject({ type: z.literal("recording-later"), recording: SessionId }),
  z.strictObject({ type: z.literal("event-ack"), id: Id }),
  /** A key that hosts pin has a successor, or is over. */
  z.strictObject({ type: z.literal("key-statement"), statement: KeyStatement }),
  /** New certificates for sshd's host keys. */
  z.strictObject({ type: z.literal("host-certificates"), certificates: z.array(SshLine).min(1).max(10) }),
  /** An ID token with an unknown key may come: refresh the JWKS of this issuer now. Only ever a hint. */
  z.strictObject({ type: z.literal("jwks-hint"), issuer: z.string().max(500), kid: z.string().max(255) }),
]);
export type ServerMessage = z.infer<typeof ServerMessage>;

/** Parses one text message. Codes `message-too-large`, `message-malformed`. */
export function parseLinkMessage<T>(schema: z.ZodType<T>, text: string): T {
  if (text.length > MAX_LINK_MESSAGE) {
    throw new SallyportError(
      "message-too-large",
      `A message of ${text.length} characters is over the limit.`,
    );
  }
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new SallyportError("message-malformed", "A message on the host link is not JSON.", { cause });
  }
  const result = schema.safeParse(json);
  if (!result.success) {
    const issue = result.error.issues[0];
    const where = printable(issue?.path.join(".") || "its top", 100);
    throw new SallyportError(
      "message-malformed",
      `A message on the host link has the wrong shape at ${where}: ${printable(issue?.message ?? "", 200)}.`,
      { cause: result.error },
    );
  }
  return result.data;
}

/** A block on its way up is sent as it is stored: its own header names the recording and its place. */
export const MAX_BLOCK_UPLOAD = 256 * 1024;
