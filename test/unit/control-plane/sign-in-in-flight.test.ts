import assert from "node:assert/strict";
import { generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Configuration } from "@sallyport/control-plane/config/configuration.ts";
import { inTransaction } from "@sallyport/control-plane/database/open-database.ts";
import { listRevocations } from "@sallyport/control-plane/database/revocations.ts";
import { authenticate } from "@sallyport/control-plane/http/caller.ts";
import { makeChallenge } from "@sallyport/control-plane/issuance/challenge.ts";
import { type IssuanceNeeds, issueCertificate } from "@sallyport/control-plane/issuance/issue-certificate.ts";
import { openGrantSealing } from "@sallyport/control-plane/keys/grant-sealing.ts";
import { applyPolicy } from "@sallyport/control-plane/policy/apply-policy.ts";
import { storeIdentityNotice } from "@sallyport/control-plane/revocations/identity-notice.ts";
import { createUser, patchUser } from "@sallyport/control-plane/scim/users.ts";
import {
  type Binding,
  bindingNonce,
  makeBinding,
  proofOfPossession,
  SshJwk,
} from "@sallyport/core/binding.ts";
import { isSallyportError } from "@sallyport/core/errors.ts";
import { CertificateRequest } from "@sallyport/core/messages/client-api.ts";
import { sshKeyToJwk } from "@sallyport/core/ssh/jwk.ts";
import { publicKeyFromKeyObject } from "@sallyport/core/ssh/public-key.ts";
import { signSsh } from "@sallyport/core/ssh/signature.ts";
import { keySigner } from "@sallyport/core/ssh/signer.ts";
import { makeWorld, policyText, type World } from "./support/world.ts";

const ISSUER = "https://idp.test";
const URL_HERE = "https://sallyport.test";
const USER = "urn:ietf:params:scim:schemas:core:2.0:User";
const schemas = (name: string) => ({ schemas: [name] });
const idp = generateKeyPairSync("rsa", { modulusLength: 2048 });
const jwks = {
  keys: [{ ...(idp.publicKey.export({ format: "jwk" }) as { kty: string }), kid: "k", alg: "RS256" }],
};

describe("a sign-in while something is said of its person", () => {
  let world: World;
  let needs: IssuanceNeeds;
  let directory: string;
  /** Runs once, while the certificate is being signed: after everything was checked and before anything is stored. */
  let meanwhile: () => Promise<unknown>;

  beforeEach(async () => {
    world = await makeWorld();
    directory = mkdtempSync(join(tmpdir(), "sallyport-in-flight-"));
    meanwhile = async () => {};
    const ca = keySigner(generateKeyPairSync("ed25519").privateKey);
    const { db, environment } = world;
    await applyPolicy(db, environment, { text: policyText(), file: "p" });
    needs = {
      ...{ db, environment },
      config: Configuration.parse({
        ...{ version: 1, listen: { address: "127.0.0.1", port: 1 }, url: URL_HERE, dataDirectory: directory },
        issuers: [
          {
            ...{ name: "IdP", issuer: ISSUER, clientId: "cli", check: { by: "none" } },
            scim: { tokenFile: "/nowhere" },
          },
        ],
        policyFile: "/nowhere",
      }),
      keys: {
        userCa: {
          publicKey: ca.publicKey,
          sign: async (data) => {
            await meanwhile();
            return ca.sign(data);
          },
        },
      },
      issuerKeys: { ready: async () => {}, known: () => jwks },
      hosts: { publishBundles: async () => {}, hintKeys: () => {} },
      sealing: await openGrantSealing(db, directory),
    };
  });
  afterEach(async () => {
    await world.db.destroy();
    rmSync(directory, { recursive: true });
  });

  /** `ahead`: of the IdP's clock, in seconds. */
  const signIn = async (ahead = 0) => {
    const { privateKey } = generateKeyPairSync("ed25519");
    const upk = SshJwk.parse(sshKeyToJwk(publicKeyFromKeyObject(privateKey)));
    const binding: Binding = makeBinding(upk, Buffer.alloc(32, 7));
    const iat = world.time.now + ahead;
    const idToken = jwt({
      ...{ iss: ISSUER, sub: "dana", aud: "cli", iat, exp: iat + 3600, auth_time: iat, jti: randomUUID() },
      ...{ sid: "s", nonce: bindingNonce(binding), email: "dana@vendor.test", email_verified: true },
    });
    const challenge = await makeChallenge(world);
    const statement = proofOfPossession(binding, idToken, challenge);
    const proof = Buffer.from(signSsh(privateKey, statement)).toString("base64");
    const request = CertificateRequest.parse({ v: 1, idToken, binding, challenge, proof });
    return issueCertificate(needs, request, "127.0.0.1");
  };
  const caller = (apiToken: string) =>
    authenticate(
      { db: world.db, clock: world.environment.clock, config: needs.config },
      `Bearer ${apiToken}`,
    );
  const ended = (error: unknown) =>
    isSallyportError(error, "token-invalid") && /was ended/.test(error.message);
  const say = (effect: "end-sessions" | "disable", at?: number) =>
    inTransaction(world.db, (db) =>
      storeIdentityNotice(db, world.environment, {
        ...{ issuer: ISSUER, subject: "dana", effect, by: "IdP", reason: "test", evidence: {}, at },
      }),
    );
  const nothingIssued = async () => {
    for (const table of ["certificates", "api_tokens"] as const)
      assert.deepEqual(await world.db.selectFrom(table).selectAll().execute(), [], table);
  };

  it("is refused when its sessions were ended before it is stored", async () => {
    meanwhile = async () => {
      await say("end-sessions");
      world.time.now += 3;
    };
    await assert.rejects(signIn(), ended);
    await nothingIssued();
  });

  it("is refused when its sessions were ended before it is stored, by an IdP whose clock is ahead", async () => {
    meanwhile = () => say("end-sessions");
    await assert.rejects(signIn(30), ended);
    await nothingIssued();
  });

  it("is refused when the account was disabled before it is stored", async () => {
    meanwhile = () => say("disable");
    await assert.rejects(signIn(), (error) => isSallyportError(error, "forbidden"));
    await nothingIssued();
  });

  it("is refused when SCIM took the person out who had not been seen before", async () => {
    const change = {
      ...{ environment: world.environment, request: "test" },
      idp: { issuer: ISSUER, name: "IdP", subjectAttribute: "externalId" as const, requireGroup: undefined },
    };
    const { user } = await inTransaction(world.db, (db) =>
      createUser(
        { ...change, db },
        { ...schemas(USER), userName: "Dana@vendor.test", externalId: "00u1", active: true },
      ),
    );
    meanwhile = () =>
      inTransaction(world.db, (db) =>
        patchUser({ ...change, db }, user.id, {
          ifMatch: undefined,
          body: {
            ...schemas("urn:ietf:params:scim:api:messages:2.0:PatchOp"),
            Operations: [{ op: "replace", value: { active: false } }],
          },
        }),
      );
    await assert.rejects(signIn(), (error) => isSallyportError(error, "forbidden"));
    await nothingIssued();
  });

  it("goes on when something else was revoked meanwhile", async () => {
    meanwhile = () =>
      inTransaction(world.db, (db) =>
        storeIdentityNotice(db, world.environment, {
          ...{ issuer: ISSUER, subject: "rita", effect: "disable", by: "IdP", reason: "test", evidence: {} },
        }),
      );
    assert.ok((await signIn()).certificate !== null);
    assert.equal((await listRevocations(world.db)).length, 1);
  });

  it("is stored also where the IdP's times have fractions", async () => {
    assert.ok((await signIn(-0.5)).certificate !== null);
  });

  it("ends with its API token when the IdP tells late of what ended it", async () => {
    const begun = world.time.now;
    meanwhile = async () => {
      world.time.now += 20; // somebody takes their time at the key's passphrase
    };
    const { apiToken } = await signIn();
    await caller(apiToken);
    await say("end-sessions", begun + 10);
    await assert.rejects(caller(apiToken), (error) => isSallyportError(error, "unauthenticated"));
  });

  it("ends with its API token when the IdP's clock is behind", async () => {
    const { apiToken } = await signIn(-45);
    world.time.now += 5;
    await say("end-sessions", world.time.now - 45);
    await assert.rejects(caller(apiToken), (error) => isSallyportError(error, "unauthenticated"));
  });
});

function jwt(claims: object): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const input = `${encode({ alg: "RS256", kid: "k", typ: "JWT" })}.${encode(claims)}`;
  return `${input}.${sign("sha256", Buffer.from(input), idp.privateKey).toString("base64url")}`;
}
