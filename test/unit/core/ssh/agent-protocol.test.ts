import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import {
  decodeIdentitiesAnswer,
  encodeAddIdentity,
  encodeRemoveIdentity,
  encodeRequestIdentities,
  isSuccess,
} from "@sallyport/core/ssh/agent-protocol.ts";
import { signCertificate } from "@sallyport/core/ssh/certificate.ts";
import { formatPublicKeyLine, type SshPublicKey } from "@sallyport/core/ssh/public-key.ts";
import { SshWriter } from "@sallyport/core/ssh/wire.ts";
import { ed25519FromSeed, freshEd25519, nistp256 } from "./keys.ts";
import { OpenSsh } from "./openssh.ts";

const { privateKey, publicKey } = freshEd25519();
const certify = (key: SshPublicKey) =>
  signCertificate(
    {
      certType: "user",
      publicKey: key,
      nonce: new Uint8Array(32),
      serial: 1n,
      keyId: "id",
      validPrincipals: ["anna"],
      validAfter: 0,
      validBefore: Number.MAX_SAFE_INTEGER,
      extensions: new Map([["id-token@sallyport.example", new Uint8Array(20_000).fill(65)]]),
    },
    nistp256.privateKey,
  );
const certificate = certify(publicKey);

describe("ssh-agent protocol", () => {
  const openSsh = new OpenSsh();
  let socketPath: string;
  let agent: ChildProcess;

  before(async () => {
    socketPath = openSsh.path("agent");
    agent = openSsh.start("ssh-agent", ["-D", "-a", socketPath]);
    while (!existsSync(socketPath)) await sleep(5);
  });
  after(() => {
    agent.kill();
    openSsh.remove();
  });

  /** Sends one framed message and returns the agent's framed answer. */
  async function ask(message: Uint8Array): Promise<Uint8Array> {
    const socket = connect(socketPath);
    socket.write(message);
    let answer = Buffer.alloc(0);
    for await (const chunk of socket) {
      answer = Buffer.concat([answer, chunk]);
      if (answer.length >= 4 && answer.length >= 4 + answer.readUInt32BE()) break;
    }
    return answer;
  }

  const sshAdd = (...args: string[]) => openSsh.run("ssh-add", args, { SSH_AUTH_SOCK: socketPath });
  const listed = async () => decodeIdentitiesAnswer(await ask(encodeRequestIdentities()));

  it("puts a key in, lists it, and takes it out", async () => {
    assert.deepEqual(await listed(), []);
    assert.ok(isSuccess(await ask(encodeAddIdentity({ privateKey, comment: "sallyport anna" }))));
    assert.equal(sshAdd("-L").trim(), formatPublicKeyLine(publicKey, "sallyport anna"));
    assert.deepEqual(await listed(), [{ blob: publicKey.blob, comment: "sallyport anna" }]);
    openSsh.write("test.pub", formatPublicKeyLine(publicKey));
    sshAdd("-T", "test.pub"); // signs with the private half
    assert.ok(isSuccess(await ask(encodeRemoveIdentity(publicKey.blob))));
    assert.deepEqual(await listed(), []);
    assert.equal(isSuccess(await ask(encodeRemoveIdentity(publicKey.blob))), false);
  });

  it("puts a key and its certificate in, both with a lifetime", async () => {
    const identity = { privateKey, comment: "anna", lifetimeSeconds: 1 };
    assert.ok(isSuccess(await ask(encodeAddIdentity(identity))));
    assert.ok(isSuccess(await ask(encodeAddIdentity({ ...identity, certificate }))));
    assert.deepEqual(
      (await listed()).map(({ blob }) => blob),
      [publicKey.blob, certificate],
    );
    assert.match(sshAdd("-L"), /^ssh-ed25519-cert-v01@openssh\.com \S+ anna$/m);
    while ((await listed()).length > 0) await sleep(50);
  });

  // draft-ietf-sshm-ssh-agent, by hand: a lifetime of 258 seconds for a key from a seed of ones.
  it("writes the messages of the draft", () => {
    const known = ed25519FromSeed(new Uint8Array(32).fill(1));
    const publicHex = Buffer.from(known.publicKey.blob.subarray(-32)).toString("hex");
    const message = encodeAddIdentity({ privateKey: known.privateKey, comment: "c", lifetimeSeconds: 258 });
    const body =
      `19${"0000000b"}${Buffer.from("ssh-ed25519").toString("hex")}00000020${publicHex}` +
      `00000040${"01".repeat(32)}${publicHex}0000000163${"01"}00000102`;
    assert.equal(
      Buffer.from(message).toString("hex"),
      (body.length / 2).toString(16).padStart(8, "0") + body,
    );
    assert.deepEqual(encodeRequestIdentities(), Uint8Array.of(0, 0, 0, 1, 11));
    assert.deepEqual(encodeRemoveIdentity(Uint8Array.of(9)), Uint8Array.of(0, 0, 0, 6, 18, 0, 0, 0, 1, 9));
  });

  const mistakes: [string, () => unknown][] = [
    [
      "a lifetime of 0, which means forever",
      () => encodeAddIdentity({ privateKey, comment: "", lifetimeSeconds: 0 }),
    ],
    ["a lifetime of 1.5 seconds", () => encodeAddIdentity({ privateKey, comment: "", lifetimeSeconds: 1.5 })],
    [
      "a lifetime of 137 years",
      () => encodeAddIdentity({ privateKey, comment: "", lifetimeSeconds: 2 ** 32 }),
    ],
    ["a comment of two lines", () => encodeAddIdentity({ privateKey, comment: "a\nb" })],
    ["an ECDSA key", () => encodeAddIdentity({ privateKey: nistp256.privateKey, comment: "" })],
    ["a public key", () => encodeAddIdentity({ privateKey: publicKey.key, comment: "" })],
    [
      "another key's certificate",
      () => encodeAddIdentity({ privateKey, comment: "", certificate: certify(freshEd25519().publicKey) }),
    ],
  ];
  for (const [what, encode] of mistakes) it(`does not add ${what}`, () => assert.throws(encode, TypeError));

  it("does not add a certificate that does not parse", () => {
    const cut = certificate.subarray(0, 500);
    assert.throws(() => encodeAddIdentity({ privateKey, comment: "", certificate: cut }), {
      code: "ssh-malformed",
    });
  });

  const frame = (bytes: Uint8Array) => new SshWriter().string(bytes).bytes();
  const framed = (...bytes: number[]) => frame(Uint8Array.from(bytes));
  const answer = new SshWriter()
    .uint8(12)
    .uint32(1)
    .string(publicKey.blob)
    .string(Uint8Array.of(0xff))
    .bytes();
  const refused: [string, Uint8Array][] = [
    ["nothing", new Uint8Array()],
    ["an empty message", framed()],
    ["a failure", framed(5)],
    ["no count", framed(12, 0, 0)],
    ["a count without keys", framed(12, 0, 0, 0, 1)],
    ["4 billion keys", framed(12, 255, 255, 255, 255)],
    ["bytes left over", framed(12, 0, 0, 0, 0, 9)],
    ["bytes after the frame", Buffer.concat([framed(12, 0, 0, 0, 0), Buffer.of(0)])],
    ["a message of 300 KB", frame(new Uint8Array(300_000).fill(12))],
    ...Array.from(answer.keys(), (length): [string, Uint8Array] => [
      `its first ${length} bytes`,
      frame(answer.subarray(0, length)),
    ]),
  ];
  it("reads a list with a comment that is not UTF-8", () => {
    assert.deepEqual(decodeIdentitiesAnswer(frame(answer)), [{ blob: publicKey.blob, comment: "\uFFFD" }]);
  });
  it("refuses malformed lists", () => {
    for (const [what, bytes] of refused) {
      assert.throws(() => decodeIdentitiesAnswer(bytes), { code: "ssh-malformed" }, what);
    }
  });

  it("tells success from failure, and both from anything else", () => {
    assert.equal(isSuccess(framed(6)), true);
    assert.equal(isSuccess(framed(5)), false);
    for (const other of [framed(7), framed(6, 0), framed(), new Uint8Array(), Uint8Array.of(6)]) {
      assert.throws(() => isSuccess(other), { code: "ssh-malformed" });
    }
  });
});
