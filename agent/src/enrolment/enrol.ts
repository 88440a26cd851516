import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { isSallyportError, SallyportError } from "@sallyport/core/errors.ts";
import { EnrolResponse } from "@sallyport/core/messages/enrolment.ts";
import { type JoinToken, parseJoinToken, Trust, trustHash } from "@sallyport/core/messages/trust.ts";
import { parseCertificateLine } from "@sallyport/core/ssh/certificate.ts";
import { fingerprint, publicKeyFromKeyObject } from "@sallyport/core/ssh/public-key.ts";
import { stringify } from "yaml";
import type { AgentConfig } from "../configuration/agent-config.ts";
import type { Paths } from "../configuration/paths.ts";
import { askSshd, installDropIn, keyFiles, type SshdFiles } from "./sshd-drop-in.ts";
import { UndoList } from "./undo-list.ts";

const TIMEOUT_MS = 15_000;
const MAX_ANSWER = 1024 * 1024;
const SSH_DIRECTORY = "/etc/ssh";
const HOST_KEY_TYPES = ["ed25519", "ecdsa", "rsa"];

export interface EnrolmentSettings {
  config: AgentConfig;
  paths: Paths;
  /** The join token as it was read from a file or standard input; never an argument. */
  token: string;
  /** Progress, one sentence each. */
  say(sentence: string): void;
}

/**
 * Enrols this host: fetches the trust document, believes it only because its hash is in the join token, hands in the
 * host's keys, and puts sshd's drop-in in place after sshd itself has found it good. Nothing is changed until
 * everything has been fetched and checked.
 */
export async function enrol(
  settings: EnrolmentSettings,
): Promise<{ hostName: string; keyFingerprint: string }> {
  const { config, paths, say } = settings;
  const token = parseJoinToken(settings.token);
  if (existsSync(config.trustFile)) {
    throw new SallyportError(
      "conflict",
      `This host is enrolled already (${config.trustFile}). To enrol it anew, run first: sallyport-agent leave`,
    );
  }
  say(`Fetching the trust to pin from ${token.server}.`);
  const trust = await fetchTrust(token);
  const hostKeys = readHostKeys();
  askSshd(config.sshd);
  refuseOthersCertificates(hostKeys.map(({ path }) => certificatePath(path)));
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const undo = new UndoList();
  try {
    undo.makeDirectory(config.stateDirectory, 0o700);
    undo.makeDirectory(dirname(config.trustFile), 0o755);
    // Before the token is used up: where there is no room for it, there is none for recordings either.
    undo.write(paths.hostKey, privateKey.export({ format: "pem", type: "pkcs8" }).toString(), 0o600);
    say("Handing in this host's keys.");
    const answer = await post(`${token.server}/api/v1/hosts`, {
      v: 1,
      tokenId: token.id,
      secret: token.secret,
      hostKey: publicKey.export({ format: "jwk" }).x,
      sshHostKeys: hostKeys.map((key) => key.line),
    });
    const response = EnrolResponse.parse(answer);
    const files: SshdFiles = {
      dropIn: config.sshdDropIn,
      ...keyFiles(config),
      certificates: hostKeys.flatMap((key, index) => {
        const line = response.hostCertificates[index];
        return line === undefined ? [] : [{ path: certificatePath(key.path), line }];
      }),
    };
    say(`Putting sshd's drop-in in place: ${config.sshdDropIn}`);
    undo.add(installDropIn(files, trust, config));
    // Last, because it is what says "enrolled".
    const pinned = { version: 1, host: { id: response.hostId, name: response.hostName }, trust };
    undo.write(config.trustFile, stringify(pinned), 0o600);
    return {
      hostName: response.hostName,
      keyFingerprint: fingerprint(publicKeyFromKeyObject(publicKey).blob),
    };
  } catch (error) {
    undo.all();
    throw inASentence(error);
  }
}

/** What the operating system says of a file, as a sentence that says what to do. */
function inASentence(error: unknown): SallyportError {
  if (isSallyportError(error)) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  const isFull = code === "ENOSPC" || code === "EDQUOT";
  return new SallyportError(
    isFull ? "conflict" : "internal",
    isFull
      ? "There is no room on the disk, so nothing was changed. Make room, then enrol again."
      : `Enrolling failed, so nothing was changed: ${message}.`,
    { cause: error },
  );
}

async function fetchTrust(token: JoinToken): Promise<Trust> {
  const { data: trust } = Trust.safeParse(await getJson(`${token.server}/api/v1/trust`));
  if (trust === undefined) throw noControlPlane(token.server);
  if (trustHash(trust) !== token.trustHash) {
    throw new SallyportError(
      "trust-mismatch",
      `What ${token.server} presents is not what the join token was made for. Make a new token on the control plane; if it happens again, somebody stands between.`,
    );
  }
  return trust;
}

function readHostKeys(): { path: string; line: string }[] {
  const keys = HOST_KEY_TYPES.map((type) => `${SSH_DIRECTORY}/ssh_host_${type}_key.pub`)
    .filter((path) => existsSync(path))
    .map((path) => ({ path, line: readFileSync(path, "utf8").trim() }));
  if (keys.length === 0)
    throw new SallyportError("config-missing", "sshd has no host keys yet. Run: ssh-keygen -A");
  return keys;
}

function certificatePath(keyPath: string): string {
  return keyPath.replace(/\.pub$/, "-cert.pub");
}

/** sshd shows one certificate for a key, so an operator's own would be lost, and whoever relies on it kept out. */
function refuseOthersCertificates(paths: readonly string[]): void {
  const theirs = paths.filter((path) => existsSync(path) && !isOurs(readFileSync(path, "utf8")));
  if (theirs.length === 0) return;
  throw new SallyportError(
    "conflict",
    `${theirs.join(" and ")} ${theirs.length === 1 ? "is" : "are"} not Sallyport's, and sshd can show one certificate for a key. ` +
      "Nothing was changed. If nobody relies on it any more, move it away and take its HostCertificate line out of sshd's configuration, then enrol again.",
  );
}

/** Left behind by an enrolment before this one. */
function isOurs(text: string): boolean {
  try {
    return parseCertificateLine(text.trim()).keyId.startsWith("sallyport-host:");
  } catch {
    return false;
  }
}

/** Reads the host's own key. Code `config-missing`. */
export function readHostKey(path: string): ReturnType<typeof createPrivateKey> {
  try {
    return createPrivateKey(readFileSync(path));
  } catch (cause) {
    throw new SallyportError("config-missing", `${path} cannot be read. Run: sallyport-agent enroll`, {
      cause,
    });
  }
}

async function getJson(url: string): Promise<unknown> {
  return answerOf(await reach(url, { signal: AbortSignal.timeout(TIMEOUT_MS) }));
}

async function post(url: string, body: unknown): Promise<unknown> {
  const init = {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  };
  return answerOf(await reach(url, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) }));
}

async function reach(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (cause) {
    const { origin } = new URL(url);
    throw new SallyportError(
      "server-unreachable",
      `The control plane at ${origin} cannot be reached. Check the network and that it is running, then enrol again.`,
      { cause },
    );
  }
}

async function answerOf(response: Response): Promise<unknown> {
  const text = await response.text();
  if (text.length > MAX_ANSWER)
    throw new SallyportError("message-too-large", "The control plane's answer is too large.");
  const json = parseJson(text);
  if (json === undefined) throw noControlPlane(new URL(response.url).origin);
  if (response.ok) return json;
  const message = (json as { error?: { message?: unknown } } | null)?.error?.message;
  throw new SallyportError(
    "forbidden",
    typeof message === "string" ? message : `The control plane answers ${response.status}.`,
  );
}

function noControlPlane(origin: string): SallyportError {
  return new SallyportError(
    "message-malformed",
    `${origin} does not answer as a control plane does. Check that the join token is of the control plane that you mean, and what stands between.`,
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
