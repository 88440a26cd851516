import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readPinnedTrust } from "@sallyport/agent/configuration/pinned-trust.ts";
import { PinnedKeys } from "@sallyport/agent/trust/pinned-keys.ts";
import { policyJwk } from "@sallyport/agent/trust/policy-jwk.ts";
import { isSallyportError } from "@sallyport/core/errors.ts";
import {
  type KeyKind,
  type KeyStatement,
  signKeyStatement,
} from "@sallyport/core/messages/key-succession.ts";
import { formatPublicKeyLine } from "@sallyport/core/ssh/public-key.ts";
import { keySigner, type Signer } from "@sallyport/core/ssh/signer.ts";

const SERVER = "https://sallyport.example.com";
const make = (): Signer => keySigner(generateKeyPairSync("ed25519").privateKey);
const line = ({ publicKey }: Signer) => formatPublicKeyLine(publicKey);

describe("keys that a host pins", () => {
  const [old, next, evil, hostCa, policy] = [make(), make(), make(), make(), make()];
  let directory: string;
  let file: string;
  let keys: PinnedKeys;
  let policySignedBy: string | undefined;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "sallyport-pinned-"));
    file = join(directory, "trust.yaml");
    policySignedBy = undefined;
    keys = open({
      version: 1,
      host: { id: `hst_${"0".repeat(26)}`, name: "web-1" as never },
      trust: {
        v: 1,
        controlPlane: SERVER,
        userCaKeys: [`${line(old)} sallyport-user-ca`],
        hostCaKeys: [line(hostCa)],
        policyKeys: [policyJwk(policy.publicKey)],
        issuers: [
          {
            ...{ issuer: "https://idp.example.com", clientIds: ["cli"], algorithms: ["RS256"] },
            ...{ maxTokenAge: 3600, mfa: { acr: {}, amr: {} } },
          },
        ],
      },
    });
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const open = (pinned: ConstructorParameters<typeof PinnedKeys>[0]["pinned"]) =>
    new PinnedKeys({
      ...{ file, pinned, userCaKeys: join(directory, "user_ca.pub") },
      policySignedBy: () => policySignedBy,
    });
  const userCa = () => readFileSync(join(directory, "user_ca.pub"), "utf8");
  const statement = (
    type: KeyStatement["type"],
    from: Signer,
    to: Signer,
    changes: { signer?: Signer; kind?: KeyKind; controlPlane?: string } = {},
  ) =>
    signKeyStatement(
      { type, kind: changes.kind ?? "user-ca", controlPlane: changes.controlPlane ?? SERVER, at: 1 },
      {
        old: from.publicKey,
        new: to.publicKey,
        signer: changes.signer ?? (type === "succession" ? from : to),
      },
    );
  const refused = (given: KeyStatement, code: "trust-mismatch" | "ssh-bad-signature" | "ssh-malformed") => {
    const before = JSON.stringify(keys.trust);
    assert.throws(
      () => keys.accept(given),
      (error) => isSallyportError(error, code),
    );
    assert.equal(JSON.stringify(keys.trust), before);
  };

  it("are followed by whom they name, and are over when that says so", async () => {
    assert.ok(keys.accept(await statement("succession", old, next)));
    assert.equal(userCa(), `${line(old)} sallyport-user-ca\n${line(next)} sallyport-user-ca\n`);
    keys = open(readPinnedTrust(file));
    assert.equal(keys.accept(await statement("succession", old, next)), false);
    assert.ok(keys.accept(await statement("retirement", old, next)));
    assert.equal(userCa(), `${line(next)} sallyport-user-ca\n`);
    assert.deepEqual(readPinnedTrust(file).trust.userCaKeys, [`${line(next)} sallyport-user-ca`]);
    assert.deepEqual(keys.trust.hostCaKeys, [line(hostCa)]);
  });

  it("have one successor: the first", async () => {
    keys.accept(await statement("succession", old, next));
    refused(await statement("succession", old, evil), "trust-mismatch");
    // Nor does it make another key of anybody's trusted that it names the same successor.
    assert.equal(keys.accept(await statement("succession", evil, next)), false);
    assert.equal(userCa().trim().split("\n").length, 2);
  });

  it("are over for good: what they said is not believed again", async () => {
    const succession = await statement("succession", old, next);
    keys.accept(succession);
    keys.accept(await statement("retirement", old, next));
    refused(await statement("succession", old, evil), "trust-mismatch");
    assert.equal(keys.accept(succession), false);
    assert.equal(userCa().split("\n").length, 2);
  });

  it("are not followed on the word of anybody else", async () => {
    refused(await statement("succession", evil, next), "trust-mismatch");
    refused(await statement("succession", old, evil, { signer: evil }), "ssh-bad-signature");
    refused(await statement("succession", old, next, { kind: "host-ca" }), "trust-mismatch");
    refused(await statement("succession", hostCa, evil), "trust-mismatch");
    refused(
      await statement("succession", old, next, { controlPlane: "https://other.example.com" }),
      "trust-mismatch",
    );
    refused(await statement("succession", old, old), "ssh-malformed");
    const good = await statement("succession", old, next);
    for (const forged of [
      { ...good, new: line(evil) },
      { ...good, kind: "policy" as const },
      { ...good, at: 2 },
      { ...good, type: "retirement" as const },
    ])
      refused(forged, "ssh-bad-signature");
  });

  it("are not over on the word of anybody but their successor", async () => {
    refused(await statement("retirement", old, evil), "trust-mismatch");
    keys.accept(await statement("succession", old, next));
    refused(await statement("retirement", old, evil), "trust-mismatch");
    refused(await statement("retirement", old, next, { signer: old }), "ssh-bad-signature");
    // Nor does the old key end its successor.
    refused(await statement("retirement", next, old), "trust-mismatch");
    assert.equal(keys.fingerprints().length, 4);
  });

  it("stay while the policy on the disk is signed by them", async () => {
    policySignedBy = policyJwk(policy.publicKey).kid;
    keys.accept(await statement("succession", policy, next, { kind: "policy" }));
    const over = await statement("retirement", policy, next, { kind: "policy" });
    refused(over, "trust-mismatch");
    policySignedBy = policyJwk(next.publicKey).kid;
    assert.ok(keys.accept(over));
    assert.deepEqual(keys.trust.policyKeys, [policyJwk(next.publicKey)]);
  });

  it("are in sshd's file again after a crash in between", async () => {
    keys.accept(await statement("succession", old, next));
    rmSync(join(directory, "user_ca.pub"));
    open(readPinnedTrust(file)).start();
    assert.equal(userCa().trim().split("\n").length, 2);
  });
});
