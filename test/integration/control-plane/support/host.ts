import { generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { once } from "node:events";
import { EnrolResponse } from "@sallyport/core/messages/enrolment.ts";
import { type HostMessage, helloStatement, ServerMessage } from "@sallyport/core/messages/host-link.ts";
import { parseJoinToken } from "@sallyport/core/messages/trust.ts";
import { makeId, SessionId } from "@sallyport/core/names.ts";
import { type Block, NO_HASH, sealBlock } from "@sallyport/core/recording/block.ts";
import { type EndRecord, encodeFrame, FrameKind, type StartRecord } from "@sallyport/core/recording/frame.ts";
import { formatPublicKeyLine, publicKeyFromKeyObject } from "@sallyport/core/ssh/public-key.ts";
import { WebSocket } from "ws";
import { call } from "./client.ts";

/** An enrolled host as a test plays it. */
export interface TestHost {
  id: string;
  name: string;
  key: KeyObject;
  hostKey: string;
  certificates: string[];
}

/** Enrols a host with a join token. */
export async function enrol(url: string, joinToken: string): Promise<TestHost> {
  const { id: tokenId, secret } = parseJoinToken(joinToken);
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const hostKey = publicKey.export({ format: "jwk" }).x ?? "";
  const sshKey = formatPublicKeyLine(publicKeyFromKeyObject(generateKeyPairSync("ed25519").publicKey));
  const body = { v: 1, tokenId, secret, hostKey, sshHostKeys: [sshKey] };
  const answer = await call(url, "POST", "/hosts", { body });
  if (answer.status !== 201) throw new Error(`enrolment failed: ${answer.code} ${answer.message}`);
  const { hostId, hostName, hostCertificates } = EnrolResponse.parse(answer.body);
  return { id: hostId, name: hostName, key: privateKey, hostKey, certificates: hostCertificates };
}

/** A host's link. Messages wait until a test asks for them. */
export class TestLink {
  readonly socket: WebSocket;
  readonly closed: Promise<{ code: number; reason: string }>;
  /** Types of all that came, in order. */
  readonly types: ServerMessage["type"][] = [];
  readonly #arrived: ServerMessage[] = [];
  readonly #waiting = new Set<() => void>();

  constructor(url: string) {
    this.socket = new WebSocket(`${url.replace(/^http/, "ws")}/api/v1/host-link`);
    this.socket.on("message", (data: Buffer) => {
      const message = ServerMessage.parse(JSON.parse(data.toString("utf8")));
      this.types.push(message.type);
      this.#arrived.push(message);
      for (const wake of [...this.#waiting]) wake();
    });
    this.closed = once(this.socket, "close").then(([code, reason]) => ({ code, reason: String(reason) }));
  }

  /** The next message of this type; earlier ones of other types stay for whoever asks for them. */
  async next<T extends ServerMessage["type"]>(type: T): Promise<Extract<ServerMessage, { type: T }>> {
    for (;;) {
      const index = this.#arrived.findIndex((message) => message.type === type);
      const [found] = index === -1 ? [] : this.#arrived.splice(index, 1);
      if (found !== undefined) return found as Extract<ServerMessage, { type: T }>;
      await new Promise<void>((resolve, reject) => {
        const wake = () => {
          this.#waiting.delete(wake);
          resolve();
        };
        this.#waiting.add(wake);
        void this.closed.then(({ code, reason }) =>
          reject(new Error(`closed with ${code} ${reason} before ${type}`)),
        );
      });
    }
  }

  send(message: HostMessage): void {
    this.socket.send(JSON.stringify(message));
  }

  close(): Promise<unknown> {
    this.socket.close();
    return this.closed;
  }
}

/** Answers the challenge of a link. */
export async function hello(
  link: TestLink,
  host: TestHost,
  has: {
    bundleVersion?: number;
    revocationSequence?: number;
    key?: KeyObject;
    capabilities?: string[];
    revocationChain?: string;
  } = {},
): Promise<void> {
  const { server, nonce } = await link.next("challenge");
  link.send({
    type: "hello",
    v: 1,
    hostId: host.id,
    agentVersion: "test",
    signature: sign(null, helloStatement(server, host.id, nonce), has.key ?? host.key).toString("base64url"),
    bundleVersion: has.bundleVersion ?? 0,
    revocationSequence: has.revocationSequence ?? 0,
    ...(has.capabilities === undefined ? {} : { capabilities: has.capabilities }),
    ...(has.revocationChain === undefined ? {} : { revocationChain: has.revocationChain }),
  });
}

/** Opens a link and signs in. */
export async function connect(
  url: string,
  host: TestHost,
  has: Parameters<typeof hello>[2] = {},
): Promise<TestLink> {
  const link = new TestLink(url);
  await hello(link, host, has);
  await link.next("welcome");
  return link;
}

/** The blocks of a small recording: start, output, end. */
export function makeRecording(
  host: Pick<TestHost, "id" | "name" | "key">,
  member: { id: string; issuer: string; subject: string },
  options: { outputs?: string[]; serial?: string; start?: Partial<StartRecord> } = {},
): { session: SessionId; blocks: Block[]; start: StartRecord } {
  const session = SessionId.parse(makeId("ses", Date.now(), randomBytes(10)));
  const start: StartRecord = {
    v: 1,
    session,
    host: { id: host.id, name: host.name },
    account: "deploy",
    member: { ...member, name: "Dana Doe" },
    engagement: { id: "eng", name: "web-work" },
    login: {
      certificateSerial: options.serial ?? "42",
      keyFingerprint: "SHA256:x",
      sourceAddress: "127.0.0.1",
      mfa: "mfa",
    },
    kind: "pty",
    command: null,
    terminal: { term: "xterm", columns: 80, rows: 24 },
    startedAt: Date.now(),
    ...options.start,
  };
  const end: EndRecord = {
    v: 1,
    exitStatus: 0,
    signal: null,
    reason: "exited",
    detail: "",
    endedAt: Date.now() + 1000,
  };
  const outputs = options.outputs ?? ["hello\r\n", "world\r\n"];
  const frames = [
    encodeFrame({ kind: FrameKind.start, time: 0, data: Buffer.from(JSON.stringify(start)) }),
    ...outputs.map((text, index) =>
      encodeFrame({ kind: FrameKind.output, time: (index + 1) * 1000, data: Buffer.from(text) }),
    ),
    encodeFrame({ kind: FrameKind.end, time: 900_000, data: Buffer.from(JSON.stringify(end)) }),
  ];
  const blocks: Block[] = [];
  for (const [sequence, raw] of frames.entries()) {
    const previousHash = blocks.at(-1)?.hash ?? NO_HASH;
    const last = sequence === frames.length - 1;
    blocks.push(sealBlock({ session, sequence, last, frameCount: 1, raw, previousHash }, host.key));
  }
  return { session, blocks, start };
}
