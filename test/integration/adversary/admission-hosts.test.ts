import assert from "node:assert/strict";
import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { CertificateContent } from "@sallyport/core/ssh/certificate.ts";
import { certificateTypeName } from "@sallyport/core/ssh/certificate-fields.ts";
import { formatKeyLine } from "@sallyport/core/ssh/key-line.ts";
import { formatOpenSshPrivateKey } from "@sallyport/core/ssh/private-key.ts";
import { publicKeyFromKeyObject } from "@sallyport/core/ssh/public-key.ts";
import { finished, printed, run } from "../../fixtures/processes.ts";
import { signAnything } from "../../fixtures/raw-certificate.ts";
import { freePort, type Person, startWorld, type World } from "../../fixtures/world.ts";

/** Somebody has put a server of their own in the place of web-1; the contractor's ssh comes to it. */
describe("a contractor's ssh at a false host", () => {
  let world: World;
  let alice: Person;

  before(async () => {
    world = await startWorld({ engagements: [{ name: "web", members: ["alice"] }] });
    alice = await world.signedIn("alice");
  });
  after(() => world.close());

  const ca = (name: "user-ca" | "host-ca"): KeyObject =>
    createPrivateKey(readFileSync(join(world.directory, `control-plane/keys/${name}.pem`)));

  /** What ssh says at an sshd with this key and this certificate. */
  const meet = async (key: KeyObject, certificate: Uint8Array | null): Promise<string> => {
    const port = String(await freePort());
    const file = `/root/false-host-${port}`;
    const input = formatOpenSshPrivateKey(key, "", 1);
    await world.host.run(["sh", "-c", `umask 077 && cat > ${file}`], { input });
    const options = [`HostKey=${file}`, "ListenAddress=127.0.0.1", `PidFile=${file}.pid`, "UsePAM=no"];
    if (certificate !== null) {
      const line = formatKeyLine(certificateTypeName("ssh-ed25519"), certificate);
      await world.host.run(["tee", `${file}-cert.pub`], { input: `${line}\n` });
      options.push(`HostCertificate=${file}-cert.pub`);
    }
    const argv = ["-D", "-e", "-f", "/dev/null", "-p", port, ...options.flatMap((one) => ["-o", one])];
    const sshd = world.host.spawn(["/usr/sbin/sshd", ...argv], { stdio: ["ignore", "ignore", "pipe"] });
    const ended = finished(sshd);
    try {
      await printed(sshd, /Server listening/, "stderr");
      const outcome = await run(alice.ssh("-p", port, "web-1", "echo in"), { env: alice.env });
      assert.equal(outcome.status, 255);
      return outcome.stderr;
    } finally {
      await world.host.run(["sh", "-c", `kill "$(cat ${file}.pid)"`]);
      await ended;
    }
  };
  const certify = (key: KeyObject, by: KeyObject, changes: Partial<CertificateContent> = {}): Uint8Array => {
    const now = Math.floor(Date.now() / 1000);
    return signAnything(
      {
        certType: "host",
        publicKey: publicKeyFromKeyObject(key),
        serial: 1n,
        keyId: "false",
        validPrincipals: ["web-1"],
        validAfter: now - 60,
        validBefore: now + 600,
        nonce: randomBytes(32),
        ...changes,
      },
      by,
    );
  };
  const newKey = (): KeyObject => generateKeyPairSync("ed25519").privateKey;

  it("goes on where the host CA has signed for it: so it is the certificate that is refused below", async () => {
    const key = newKey();
    // Past the host's key: this sshd, which has no user CA, refuses the contractor.
    assert.match(await meet(key, certify(key, ca("host-ca"))), /Permission denied \(/);
  });

  const rows: [what: string, key: () => KeyObject, certificate: (key: KeyObject) => Uint8Array | null][] = [
    ["without a certificate", newKey, () => null],
    [
      "with a user certificate of the host CA",
      newKey,
      (key) => certify(key, ca("host-ca"), { certType: "user" }),
    ],
    [
      "with a user certificate of the user CA",
      newKey,
      (key) => certify(key, ca("user-ca"), { certType: "user" }),
    ],
    ["with a host certificate of the user CA", newKey, (key) => certify(key, ca("user-ca"))],
    [
      "with the certificate of another host",
      newKey,
      (key) => certify(key, ca("host-ca"), { validPrincipals: ["web-2"] }),
    ],
    [
      "with a host certificate that has an unknown critical option",
      newKey,
      (key) => certify(key, ca("host-ca"), { criticalOptions: new Map([["anything@example.com", "yes"]]) }),
    ],
    [
      "with a certificate of the host CA that is over",
      newKey,
      (key) => certify(key, ca("host-ca"), { validAfter: 1, validBefore: 1000 }),
    ],
    ["with the host CA's key as its own", () => ca("host-ca"), () => null],
  ];
  for (const [what, key, certificate] of rows) {
    it(`leaves: ${what}`, async () => {
      const own = key();
      assert.match(await meet(own, certificate(own)), /Host key verification failed/);
    });
  }
});
