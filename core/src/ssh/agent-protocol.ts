import type { KeyObject } from "node:crypto";
import { parseCertificate } from "./certificate.ts";
import { certificateTypeName } from "./certificate-fields.ts";
import { assertComment } from "./key-line.ts";
import { ed25519PrivateFields } from "./private-key.ts";
import { publicKeyFromKeyObject, type SshPublicKey } from "./public-key.ts";
import { malformed, SshReader, SshWriter } from "./wire.ts";

/*
 * The messages of draft-ietf-sshm-ssh-agent that put a key into the user's agent, take it out again, and have an agent
 * sign. Each is whole, with the uint32 length in front that frames it on the socket.
 */

const SSH_AGENT_FAILURE = 5;
const SSH_AGENT_SUCCESS = 6;
const SSH_AGENTC_REQUEST_IDENTITIES = 11;
const SSH_AGENT_IDENTITIES_ANSWER = 12;
const SSH_AGENTC_SIGN_REQUEST = 13;
const SSH_AGENT_SIGN_RESPONSE = 14;
const SSH_AGENTC_ADD_IDENTITY = 17;
const SSH_AGENTC_REMOVE_IDENTITY = 18;
const SSH_AGENTC_ADD_ID_CONSTRAINED = 25;
const SSH_AGENT_CONSTRAIN_LIFETIME = 1;
/** Without it an agent signs with RSA and SHA-1. */
const SSH_AGENT_RSA_SHA2_512 = 4;

/** Longest message, in bytes, and most keys in an answer: OpenSSH's own limits. */
const MAX_MESSAGE = 256 * 1024;
const MAX_IDENTITIES = 2048;

/** An Ed25519 key for the agent; with `certificate`, a blob for that key, the two go in as one identity. */
export type AgentIdentity = {
  privateKey: KeyObject;
  certificate?: Uint8Array;
  /** Printable ASCII; `ssh-add -l` shows it. */
  comment: string;
  /** After so many seconds the agent forgets the key. Without it, the key stays until it is removed. */
  lifetimeSeconds?: number;
};

/** One key that an agent holds. The comment is somebody else's text: make it printable before it is shown. */
export type AgentKey = { blob: Uint8Array; comment: string };

/**
 * Add a key: SSH_AGENTC_ADD_ID_CONSTRAINED with a lifetime, SSH_AGENTC_ADD_IDENTITY without. A key that is not
 * Ed25519, a certificate for another key, or a lifetime that is not a positive uint32 is a `TypeError`. A
 * certificate that does not parse: codes as `parseCertificate`.
 */
export function encodeAddIdentity(identity: AgentIdentity): Uint8Array {
  const { privateKey, certificate, comment, lifetimeSeconds } = identity;
  assertComment(comment);
  const privateFields = ed25519PrivateFields(privateKey);
  const writer = new SshWriter();
  writer.uint8(lifetimeSeconds === undefined ? SSH_AGENTC_ADD_IDENTITY : SSH_AGENTC_ADD_ID_CONSTRAINED);
  if (certificate === undefined) {
    writer.text("ssh-ed25519");
  } else {
    assertCertifies(certificate, privateKey);
    writer.text(certificateTypeName("ssh-ed25519")).string(certificate);
  }
  writer.raw(privateFields).text(comment);
  if (lifetimeSeconds !== undefined) {
    if (lifetimeSeconds === 0) throw new TypeError("a lifetime of 0 seconds means forever to an agent");
    writer.uint8(SSH_AGENT_CONSTRAIN_LIFETIME).uint32(lifetimeSeconds);
  }
  return frame(writer);
}

/** Remove the key with this public key blob, or with this certificate blob. */
export function encodeRemoveIdentity(blob: Uint8Array): Uint8Array {
  return frame(new SshWriter().uint8(SSH_AGENTC_REMOVE_IDENTITY).string(blob));
}

/** Ask for the list of keys; the answer is for {@link decodeIdentitiesAnswer}. */
export function encodeRequestIdentities(): Uint8Array {
  return frame(new SshWriter().uint8(SSH_AGENTC_REQUEST_IDENTITIES));
}

/**
 * Reads SSH_AGENT_IDENTITIES_ANSWER. Blobs are as the agent gave them, of any type; bytes of a comment that are not
 * UTF-8 become U+FFFD. Code `ssh-malformed` for any other message, a failure included.
 */
export function decodeIdentitiesAnswer(bytes: Uint8Array): AgentKey[] {
  const reader = unframe(bytes);
  if (reader.uint8() !== SSH_AGENT_IDENTITIES_ANSWER)
    throw malformed("The agent did not answer with its keys.");
  const count = reader.uint32();
  if (count > MAX_IDENTITIES) throw malformed(`The agent claims to hold ${count} keys.`);
  const keys: AgentKey[] = [];
  for (let i = 0; i < count; i++) {
    // Copies: the socket's buffer is used again. Comments are often file names, which need not be UTF-8.
    keys.push({ blob: new Uint8Array(reader.string()), comment: new TextDecoder().decode(reader.string()) });
  }
  reader.end();
  return keys;
}

/** Have the agent sign `data` with this key; RSA signs with SHA-512. The answer is for {@link decodeSignResponse}. */
export function encodeSignRequest(key: SshPublicKey, data: Uint8Array): Uint8Array {
  const flags = key.type === "ssh-rsa" ? SSH_AGENT_RSA_SHA2_512 : 0;
  return frame(new SshWriter().uint8(SSH_AGENTC_SIGN_REQUEST).string(key.blob).string(data).uint32(flags));
}

/**
 * The signature blob in an answer, not yet verified; undefined for SSH_AGENT_FAILURE: the agent has not the key, is locked,
 * or asked somebody who said no. Code `ssh-malformed` for anything else.
 */
export function decodeSignResponse(bytes: Uint8Array): Uint8Array | undefined {
  const reader = unframe(bytes);
  const type = reader.uint8();
  if (type === SSH_AGENT_FAILURE) return undefined;
  if (type !== SSH_AGENT_SIGN_RESPONSE) throw malformed("The agent did not answer with a signature.");
  const signature = new Uint8Array(reader.string());
  reader.end();
  return signature;
}

/** True for SSH_AGENT_SUCCESS, false for SSH_AGENT_FAILURE. Code `ssh-malformed` for anything else. */
export function isSuccess(bytes: Uint8Array): boolean {
  const reader = unframe(bytes);
  const type = reader.uint8();
  reader.end();
  if (type !== SSH_AGENT_SUCCESS && type !== SSH_AGENT_FAILURE) {
    throw malformed("The agent answered neither success nor failure.");
  }
  return type === SSH_AGENT_SUCCESS;
}

function assertCertifies(certificate: Uint8Array, privateKey: KeyObject): void {
  const certified = parseCertificate(certificate).publicKey.blob;
  if (Buffer.compare(certified, publicKeyFromKeyObject(privateKey).blob) !== 0) {
    throw new TypeError("the certificate is for another key");
  }
}

function frame(message: SshWriter): Uint8Array {
  return new SshWriter().string(message.bytes()).bytes();
}

function unframe(bytes: Uint8Array): SshReader {
  const reader = new SshReader(bytes);
  const message = reader.string(MAX_MESSAGE);
  reader.end();
  return new SshReader(message);
}
