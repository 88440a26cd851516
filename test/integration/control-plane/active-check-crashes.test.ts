import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RunningControlPlane, startControlPlane } from "@sallyport/control-plane/control-plane.ts";
import { findGrant } from "@sallyport/control-plane/database/sign-in-grants.ts";
import type { Database } from "@sallyport/control-plane/database/tables.ts";
import { fingerprint, publicKeyFromKeyObject } from "@sallyport/core/ssh/public-key.ts";
import { until } from "../../../demo/light-host/until.ts";
import { call, certificateRequest, challenge, makeClientKey } from "./support/client.ts";
import { startTestControlPlane, type TestControlPlane } from "./support/control-plane.ts";
import type { TestIdentityProvider } from "./support/identity-provider.ts";
import { KillablePlane } from "./support/killable-plane.ts";
import { tokensAtIdp } from "./support/sign-in.ts";

/** Signs in, and hands the refresh token over; returns the fingerprint of the SSH key. */
async function handOver(url: string, idp: TestIdentityProvider, sub: string): Promise<string> {
  const key = makeClientKey();
  const { idToken, refreshToken } = await tokensAtIdp(idp.issuer, sub, key.nonce);
  const body = { ...certificateRequest(key, idToken, await challenge(url)), refreshToken };
  const answer = await call(url, "POST", "/certificates", { body });
  assert.equal(answer.status, 201, answer.message);
  return fingerprint(publicKeyFromKeyObject(key.privateKey).blob);
}

/** Has somebody asked about as soon as it is looked. */
async function due(db: Database): Promise<void> {
  await db.updateTable("sign_in_grants").set({ next_check_at_ms: 0, claimed_until_ms: 0 }).execute();
}

const POLICY = `
version: 1
members: [{ name: Dana Doe, email: dana@vendor.test, vendor: vendor }]
engagements:
  - name: web-work
    vendor: vendor
    members: [dana@vendor.test]
    hosts: { names: [web-1] }
    accounts: [deploy]
    start: 2020-01-01
    end: 2090-01-01
    contact: sec@acme.test
`;

describe("a control plane that is killed while it asks an IdP", () => {
  let plane: KillablePlane;
  let db: Database;
  let key: string;

  before(async () => {
    plane = await KillablePlane.prepare(POLICY);
    plane.idp.accounts.set("dana", {
      ...{ sub: "dana", email: "dana@vendor.test", emailVerified: true, name: "Dana Doe", amr: ["mfa"] },
    });
    await plane.start();
    db = await plane.database();
    key = await handOver(plane.url, plane.idp, "dana");
  });
  after(async () => {
    await db?.destroy();
    await plane?.close();
  });

  /** Kills the program when the IdP is about to take in a question, or to answer it. */
  async function killedAt(moment: "request" | "answer"): Promise<void> {
    const killed = new Promise<void>((resolve) => {
      plane.idp.intercept = async (path, when) => {
        if (path !== "/token" || when !== moment) return undefined;
        await plane.kill();
        resolve();
        return "drop";
      };
    });
    await due(db);
    await killed;
    plane.idp.intercept = undefined;
    assert.equal((await grant()).in_doubt, 1);
    await due(db);
    await plane.start();
  }
  const grant = async () => (await findGrant(db, key)) ?? assert.fail("no grant");
  const revoked = () => db.selectFrom("revocations").select("id").execute();

  it("goes on with the old token where the IdP had not taken in the question", async () => {
    await killedAt("request");
    assert.ok(await until(async () => (await grant()).in_doubt === 0, 10_000));
    assert.deepEqual([(await grant()).lost_at_ms, await revoked()], [null, []]);
  });

  it("knows that the token is lost, and nobody to blame, where the answer with the new one was", async () => {
    await killedAt("answer");
    assert.ok(await until(async () => (await grant()).lost_at_ms !== null, 10_000));
    assert.deepEqual(await revoked(), []);
  });
});

describe("two replicas that ask the same IdP", () => {
  let a: TestControlPlane;
  let b: RunningControlPlane;
  let db: Database;
  let directory: string;

  before(async () => {
    a = await startTestControlPlane({ postgres: true });
    directory = mkdtempSync(join(tmpdir(), "sallyport-replica-"));
    mkdirSync(join(directory, "recordings"));
    cpSync(join(a.directory, "keys"), join(directory, "keys"), { recursive: true });
    const config = { ...a.config, url: a.url, dataDirectory: directory };
    b = await startControlPlane({ config, environment: a.environment, databaseUrl: a.databaseUrl });
    db = await a.database();
  });
  after(async () => {
    await b?.close();
    await db?.destroy();
    await a?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  it("ask about each sign-in once in a period", async () => {
    const keys: string[] = [];
    for (let round = 0; round < 8; round++) keys.push(await handOver(a.url, a.idp, "dana"));
    let questions = 0;
    a.idp.intercept = async (path, when) => {
      if (path === "/token" && when === "request") questions += 1;
      return undefined;
    };
    // The first question comes a few seconds after a sign-in, while others still sign in.
    for (let round = 0; round <= 3; round++) {
      const before = a.environment.clock();
      a.clock.offset += 41_000;
      const isAnswered = async () => {
        const grants = await Promise.all(keys.map((key) => findGrant(db, key)));
        return grants.every((grant) => (grant?.last_answer_at_ms ?? 0) > before + 20_000);
      };
      assert.ok(await until(isAnswered, 10_000));
      // Whoever else wants to ask does so within the next look.
      await new Promise((resolve) => setTimeout(resolve, 700));
      if (round === 0) questions = 0;
      else assert.equal(questions, round * keys.length);
    }
    assert.deepEqual(await db.selectFrom("revocations").select("id").execute(), []);
  });
});
