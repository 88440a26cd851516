import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SshAgents } from "@sallyport/control-plane/keys/agent-signer.ts";
import { encryptKeys } from "@sallyport/control-plane/keys/encrypt-keys.ts";
import { KeyConfiguration } from "@sallyport/control-plane/keys/key-configuration.ts";
import { KeyRing } from "@sallyport/control-plane/keys/key-ring.ts";
import { openKeys } from "@sallyport/control-plane/keys/keys.ts";
import { readPassphrase } from "@sallyport/control-plane/keys/passphrase.ts";
import { isSallyportError } from "@sallyport/core/errors.ts";
import { signDocument, verifyLease } from "@sallyport/core/policy/signed-document.ts";
import {
  parseCertificate,
  signCertificateWith,
  verifyCertificateSignature,
} from "@sallyport/core/ssh/certificate.ts";
import { parsePublicKeyLine } from "@sallyport/core/ssh/public-key.ts";
import { openCheckpoint, signCheckpointWith } from "@sallyport/core/transparency/checkpoint.ts";
import { until } from "../../../../demo/light-host/until.ts";

const PASSPHRASE = "a passphrase that nobody types";
const FRESH = { file: "sallyport.db", exists: false };
const USED = { file: "sallyport.db", exists: true };

describe("where keys are", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "sallyport-keys-"));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it("in files, encrypted, that OpenSSL reads with the passphrase and nobody without", () => {
    const keys = join(directory, "keys");
    const plain = openKeys(keys, FRESH);
    assert.equal(plain.ring.unencrypted.length, 3);
    assert.equal(encryptKeys(keys, PASSPHRASE).length, 3);
    assert.deepEqual(encryptKeys(keys, PASSPHRASE), []);
    const file = join(keys, "user-ca.pem");
    assert.match(readFileSync(file, "utf8"), /^-----BEGIN ENCRYPTED PRIVATE KEY-----/);
    const text = execFileSync("openssl", ["pkey", "-in", file, "-passin", "stdin", "-noout", "-text"], {
      input: `${PASSPHRASE}\n`,
    });
    assert.match(text.toString(), /ED25519/i);
    assert.throws(() => openKeys(keys, USED), /is encrypted and there is no passphrase/);
    assert.throws(
      () => openKeys(keys, USED, { passphrase: `${PASSPHRASE}!` }),
      (error: Error) => {
        assert.ok(!error.message.includes(PASSPHRASE));
        return /does not open with this passphrase/.test(error.message);
      },
    );
    const opened = openKeys(keys, USED, { passphrase: PASSPHRASE });
    assert.deepEqual(opened.ring.unencrypted, []);
    assert.deepEqual(
      opened.ring.all("policy").map(({ publicKey }) => publicKey.blob),
      plain.ring.all("policy").map(({ publicKey }) => publicKey.blob),
    );
    assert.throws(() => encryptKeys(join(directory, "keys"), undefined), /no passphrase/);
  });

  it("in files that are encrypted from the start where there is a passphrase, and no short one", () => {
    assert.throws(() => openKeys(join(directory, "a"), FRESH, { passphrase: "short" }), /fewer than 20/);
    openKeys(join(directory, "b"), FRESH, { passphrase: PASSPHRASE });
    assert.match(readFileSync(join(directory, "b/policy.pem"), "utf8"), /ENCRYPTED/);
  });

  it("with the passphrase from a named file, or systemd's credential", () => {
    const file = join(directory, "keys-passphrase");
    writeFileSync(file, `${PASSPHRASE}\n`);
    assert.equal(readPassphrase({}), undefined);
    assert.equal(readPassphrase({ CREDENTIALS_DIRECTORY: directory }), PASSPHRASE);
    assert.equal(readPassphrase({ CREDENTIALS_DIRECTORY: "/nowhere" }), undefined);
    assert.equal(readPassphrase({ SALLYPORT_KEYS_PASSPHRASE_FILE: file }), PASSPHRASE);
    assert.throws(
      () => readPassphrase({ SALLYPORT_KEYS_PASSPHRASE_FILE: "/nowhere" }),
      /cannot be read.*ENOENT/,
    );
    writeFileSync(file, "two\nlines\n");
    assert.throws(
      () => readPassphrase({ SALLYPORT_KEYS_PASSPHRASE_FILE: file }),
      /does not hold a passphrase/,
    );
  });

  describe("in an ssh-agent", () => {
    let socket: string;
    let agent: ReturnType<typeof spawn>;
    const stop = async () => {
      if (agent.exitCode !== null || agent.signalCode !== null) return;
      agent.kill("SIGTERM");
      await once(agent, "exit");
    };
    const start = async () => {
      rmSync(socket, { force: true });
      agent = spawn("ssh-agent", ["-D", "-a", socket], { stdio: "ignore" });
      assert.ok(await until(() => existsSync(socket), 5000));
    };
    const add = (type: string) => {
      const file = join(directory, type);
      if (!existsSync(file)) execFileSync("ssh-keygen", ["-q", "-t", type, "-N", "", "-f", file]);
      execFileSync("ssh-add", ["-q", file], {
        env: { ...process.env, SSH_AUTH_SOCK: socket },
        stdio: "ignore",
      });
      return parsePublicKeyLine(readFileSync(`${file}.pub`, "utf8"));
    };
    beforeEach(async () => {
      socket = join(directory, "agent.sock");
      await start();
    });
    afterEach(stop);

    for (const type of ["ed25519", "ecdsa", "rsa"])
      it(`certificates are signed by ${type}`, async () => {
        const key = add(type);
        const signer = new SshAgents().signer(socket, key);
        const blob = await signCertificateWith(
          {
            certType: "user",
            publicKey: key,
            nonce: new Uint8Array(32),
            serial: 1n,
            keyId: "k",
            validPrincipals: ["sallyport"],
            validAfter: 1,
            validBefore: 2,
          },
          signer,
        );
        verifyCertificateSignature(parseCertificate(blob));
      });

    it("bundles, leases and checkpoints are signed", async () => {
      const key = add("ed25519");
      const agentKey = {
        agent: socket,
        publicKey: readFileSync(join(directory, "ed25519.pub"), "utf8").trim(),
      };
      const config = KeyConfiguration.parse({ policy: agentKey, auditLog: agentKey });
      const ring = new KeyRing(join(directory, "keys"), config);
      const [policy] = ring.inAgents("policy");
      const log = ring.auditLog();
      assert.ok(policy !== undefined && log !== undefined);
      const lease = {
        v: 1,
        hostId: `hst_${"0".repeat(26)}`,
        bundleVersion: 1,
        revocationSequence: 0,
        issuedAt: 1,
        leaseUntil: 2,
      } as const;
      const { x = "" } = key.key.export({ format: "jwk" });
      const jws = await signDocument(lease, "sallyport-lease", "k", policy);
      assert.deepEqual(await verifyLease(jws, [{ kty: "OKP", crv: "Ed25519", x, kid: "k" }]), lease);
      const checkpoint = { origin: "log.example.com", size: 1, root: new Uint8Array(32), extensions: [] };
      const note = await signCheckpointWith(checkpoint, log);
      assert.equal(openCheckpoint(note, { name: checkpoint.origin, key: key.key }).size, 1);
    });

    it("nothing is signed while it is away, and it heals by itself", async () => {
      const signer = new SshAgents().signer(socket, add("ed25519"));
      await stop();
      await assert.rejects(signer.sign(Buffer.from("x")), (error: unknown) => {
        assert.ok(isSallyportError(error, "key-unavailable"));
        return /ssh-agent at .* does not sign with the key SHA256:.*add the key/.test(error.message);
      });
      await start();
      await assert.rejects(signer.sign(Buffer.from("x")), /has not this key, is locked/);
      add("ed25519");
      await signer.sign(Buffer.from("x"));
    });
  });

  it("an agent that lies, hangs up, or floods signs nothing", async () => {
    const { publicKey } = openKeys(join(directory, "keys"), FRESH).ring.all("policy")[0] ?? assert.fail();
    const path = join(directory, "false.sock");
    const answers = [
      Buffer.concat([Buffer.from([0xff, 0xff, 0xff, 0xff]), Buffer.alloc(100)]),
      Buffer.from([0, 0, 0, 1, 6]),
      Buffer.from([0, 0, 0, 3, 14, 0, 0]),
      // A well-formed signature, of somebody else.
      Buffer.concat([
        Buffer.from([0, 0, 0, 88, 14, 0, 0, 0, 83, 0, 0, 0, 11]),
        Buffer.from("ssh-ed25519"),
        Buffer.from([0, 0, 0, 64]),
        Buffer.alloc(64, 1),
      ]),
      null,
    ];
    for (const answer of answers) {
      rmSync(path, { force: true });
      const server = createServer((client) => {
        client.on("error", () => {});
        client.once("data", () => (answer === null ? client.destroy() : client.write(answer)));
      });
      await new Promise<void>((resolve) => server.listen(path, resolve));
      await assert.rejects(new SshAgents().signer(path, publicKey).sign(Buffer.from("x")), (error) =>
        isSallyportError(error, "key-unavailable"),
      );
      server.close();
    }
  });
});
