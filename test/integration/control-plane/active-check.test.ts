import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { grantOwner } from "@sallyport/control-plane/checks/keep-grant.ts";
import { silentIssuers } from "@sallyport/control-plane/checks/silent-issuers.ts";
import { HINTS_APART } from "@sallyport/control-plane/checks/take-answer.ts";
import { findGrant, hintGrants, type SignInGrant } from "@sallyport/control-plane/database/sign-in-grants.ts";
import type { Database } from "@sallyport/control-plane/database/tables.ts";
import { openGrantSealing, renewGrantSealing } from "@sallyport/control-plane/keys/grant-sealing.ts";
import { proofForRenewal } from "@sallyport/core/binding.ts";
import type { CertificateResponse } from "@sallyport/core/messages/client-api.ts";
import { IssuerView } from "@sallyport/core/messages/issuers.ts";
import { fingerprint, publicKeyFromKeyObject } from "@sallyport/core/ssh/public-key.ts";
import { signSsh } from "@sallyport/core/ssh/signature.ts";
import { decodeJwt, SignJWT } from "jose";
import { z } from "zod";
import { until } from "../../../demo/light-host/until.ts";
import {
  type Answer,
  type ClientKey,
  call,
  certificateRequest,
  challenge,
  makeClientKey,
} from "./support/client.ts";
import { startTestControlPlane, type TestControlPlane } from "./support/control-plane.ts";
import { SERVER_CLIENT } from "./support/identity-provider.ts";
import { tokensAtIdp } from "./support/sign-in.ts";

/** Somebody whose refresh token the control plane has. */
interface SignedIn {
  key: ClientKey;
  /** Of the SSH key. */
  name: string;
  idToken: string;
  refreshToken: string;
  response: CertificateResponse;
}

const PERIOD_MS = 41_000;

describe("the active check", () => {
  let plane: TestControlPlane;
  let db: Database;
  /** Questions that reached the IdP. */
  let questions: number;

  before(async () => {
    plane = await startTestControlPlane();
    db = await plane.database();
  });
  beforeEach(() => {
    questions = 0;
    plane.idp.intercept = async (path, when) => {
      if (path === "/token" && when === "request") questions += 1;
      return undefined;
    };
  });
  afterEach(async () => {
    plane.idp.rewrite = undefined;
    plane.clock.offset = 0;
    await db.deleteFrom("issuer_states").execute();
    await db.deleteFrom("sign_in_grants").execute();
  });
  after(async () => {
    await db?.destroy();
    await plane?.close();
  });

  async function signIn(sub = "dana", change: Partial<SignedIn> = {}): Promise<SignedIn> {
    const key = makeClientKey();
    const { idToken, refreshToken } = await tokensAtIdp(plane.idp.issuer, sub, key.nonce);
    const body = {
      ...certificateRequest(key, idToken, await challenge(plane.url)),
      refreshToken: change.refreshToken ?? refreshToken,
    };
    const answer = await call(plane.url, "POST", "/certificates", { body });
    assert.equal(answer.status, 201, answer.message);
    questions = 0;
    const name = fingerprint(publicKeyFromKeyObject(key.privateKey).blob);
    return { key, name, idToken, refreshToken, response: answer.body as CertificateResponse };
  }

  async function renew({ key, idToken }: SignedIn): Promise<Answer> {
    const given = await challenge(plane.url);
    const proof = signSsh(key.privateKey, proofForRenewal(key.binding, { idToken }, given));
    const body = {
      v: 1,
      idToken,
      binding: key.binding,
      challenge: given,
      proof: Buffer.from(proof).toString("base64"),
    };
    return call(plane.url, "POST", "/certificates/renew", { body });
  }

  const grantOf = async ({ name }: SignedIn): Promise<SignInGrant | undefined> => findGrant(db, name);
  const kept = async (person: SignedIn) => (await grantOf(person)) ?? assert.fail("no grant");
  const revocation = ({ name }: SignedIn) =>
    db.selectFrom("revocations").selectAll().where("target", "=", name).executeTakeFirst();
  const tellings = () =>
    db
      .selectFrom("audit_events")
      .select("type")
      .where("type", "in", ["idp-silent", "idp-answers"])
      .orderBy("leaf_index")
      .execute();
  const silences = () =>
    db.selectFrom("issuer_states").select("issuer").where("silent_since_ms", "is not", null).execute();
  const passed = () => {
    plane.clock.offset += PERIOD_MS;
  };
  /** What there was to look at has been looked at. */
  const looked = () => new Promise((resolve) => setTimeout(resolve, 1200));
  const comes = async (check: () => Promise<boolean>) => assert.ok(await until(check, 5000));
  /** The IdP has vouched once more. */
  async function checked(person: SignedIn): Promise<SignInGrant> {
    const before = (await kept(person)).last_answer_at_ms;
    passed();
    await comes(async () => (await kept(person)).last_answer_at_ms !== before);
    return kept(person);
  }

  it("asks about a live certificate once in a period, with the token that the last answer brought", async () => {
    const dana = await signIn();
    const sealed = [(await kept(dana)).token_sealed];
    for (let round = 0; round < 3; round++) {
      sealed.push((await checked(dana)).token_sealed);
      assert.equal(questions, round + 1);
    }
    assert.equal(new Set(sealed).size, 4);
    assert.deepEqual([(await kept(dana)).in_doubt, (await kept(dana)).claimed_by], [0, null]);
  });

  it("revokes the key of somebody whom the IdP has disabled, with its own word, and ends their access to the API", async () => {
    const dana = await signIn();
    const account = plane.idp.accounts.get("dana") ?? assert.fail();
    plane.idp.accounts.delete("dana");
    try {
      passed();
      await comes(async () => (await revocation(dana)) !== undefined);
    } finally {
      plane.idp.accounts.set("dana", account);
    }
    const entry = (await revocation(dana)) ?? assert.fail();
    assert.match(entry.reason, /^Test IdP no longer vouches for you \(invalid_grant: /);
    assert.deepEqual([entry.level, entry.by], ["key", "active check of Test IdP"]);
    assert.equal(await grantOf(dana), undefined);
    assert.equal((await call(plane.url, "GET", "/me", { token: dana.response.apiToken })).status, 401);
    assert.equal((await renew(dana)).code, "no-longer-vouched");
  });

  it("gives a renewal the ID token of a check that is 10 s old at most, and one answer to all who ask at once", async () => {
    const dana = await signIn();
    const answers = await Promise.all([renew(dana), renew(dana), renew(dana)]);
    assert.deepEqual(
      answers.map(({ status, message }) => `${status} ${message}`),
      ["201 ", "201 ", "201 "],
    );
    assert.equal((await renew(dana)).status, 201);
    assert.equal(questions, 1);
    plane.clock.offset += 11_000;
    assert.equal((await renew(dana)).status, 201);
    assert.equal(questions, 2);
  });

  it("asks at once where there is reason to, but not twice within 10 s", async () => {
    const dana = await signIn();
    const hint = () =>
      hintGrants(db, { issuer: plane.idp.issuer, subject: "dana" }, plane.environment.clock(), HINTS_APART);
    await hint();
    await looked();
    assert.equal(questions, 0, "the sign-in itself was just now");
    plane.clock.offset += 11_000;
    await comes(async () => questions === 1);
    await comes(async () => (await kept(dana)).claimed_by === null);
    await hint();
    await hint();
    await looked();
    assert.equal(questions, 1);
    plane.clock.offset += 11_000;
    await comes(async () => questions === 2);
  });

  it("does not take a fresh ID token of somebody else's", async () => {
    const dana = await signIn();
    const { privateKey, kid } = plane.idp.signingKey;
    const claims = {
      ...decodeJwt(dana.idToken),
      sub: "eve",
      iat: Math.floor(plane.environment.clock() / 1000),
    };
    const forged = await new SignJWT(claims).setProtectedHeader({ alg: "RS256", kid }).sign(privateKey);
    plane.idp.rewrite = (path, body) => (path === "/token" ? { ...body, id_token: forged } : body);
    passed();
    await comes(async () => (await revocation(dana)) !== undefined);
    assert.match((await revocation(dana))?.reason ?? "", /another subject/);
    assert.equal(await grantOf(dana), undefined);
  });

  it("finds a refresh token of somebody else's out with the first question", async () => {
    const eve = await tokensAtIdp(plane.idp.issuer, "eve", makeClientKey().nonce);
    const dana = await signIn("dana", { refreshToken: eve.refreshToken });
    passed();
    await comes(async () => (await revocation(dana)) !== undefined);
  });

  it("does not take an answer without an ID token for a word about this person", async () => {
    const dana = await signIn();
    plane.idp.rewrite = (path, body) => (path === "/token" ? { ...body, id_token: undefined } : body);
    passed();
    await comes(async () => (await kept(dana)).failing_since_ms !== null);
    assert.equal((await kept(dana)).in_doubt, 0);
    assert.equal((await renew(dana)).code, "issuer-unreachable");
  });

  it("survives an answer that was lost: what then is refused says nothing about the person", async () => {
    const dana = await signIn();
    plane.idp.intercept = async (path, when) => (path === "/token" && when === "answer" ? "drop" : undefined);
    passed();
    await comes(async () => (await kept(dana)).failing_since_ms !== null);
    assert.equal((await kept(dana)).in_doubt, 1);
    plane.idp.intercept = undefined;
    passed();
    await comes(async () => (await kept(dana)).lost_at_ms !== null);
    const { token_sealed, in_doubt } = await kept(dana);
    assert.deepEqual([token_sealed, in_doubt, await revocation(dana)], ["", 0, undefined]);
    const refused = await renew(dana);
    assert.equal(refused.code, "token-invalid", refused.message);
    plane.clock.offset += 899_000 - PERIOD_MS;
    await looked();
    assert.equal(await revocation(dana), undefined);
    plane.clock.offset += PERIOD_MS + 10_000;
    await comes(async () => (await revocation(dana)) !== undefined);
    assert.match(
      (await revocation(dana))?.reason ?? "",
      /can no longer be checked at Test IdP: sign in again/,
    );
  });

  it("goes on where the IdP never got the question", async () => {
    const dana = await signIn();
    plane.idp.intercept = async (path, when) =>
      path === "/token" && when === "request" ? "drop" : undefined;
    passed();
    await comes(async () => (await kept(dana)).in_doubt === 1 && (await kept(dana)).claimed_by === null);
    plane.idp.intercept = undefined;
    assert.equal((await checked(dana)).in_doubt, 0);
    assert.equal(await revocation(dana), undefined);
  });

  it("tells hosts of an IdP that is silent for 30 s, once, and that it answers again", async () => {
    const dana = await signIn();
    const before = (await tellings()).length;
    plane.idp.intercept = async (path) => (path === "/token" ? 503 : undefined);
    passed();
    const state = () => db.selectFrom("issuer_states").selectAll().executeTakeFirstOrThrow();
    await comes(async () => (await silences()).length > 0);
    const since = (await state()).silent_since_ms ?? 0;
    await looked();
    assert.deepEqual([(await state()).told_at_ms, await silentIssuers(db)], [null, []]);
    plane.clock.offset += 31_000;
    await comes(async () => (await state()).told_at_ms !== null);
    assert.deepEqual(await silentIssuers(db), [
      { issuer: plane.idp.issuer, since: Math.floor(since / 1000) },
    ]);
    plane.clock.offset += 120_000;
    await comes(async () => (await state()).failures > 1);
    assert.equal((await renew(dana)).code, "issuer-unreachable");
    assert.equal(await revocation(dana), undefined);
    plane.idp.intercept = undefined;
    plane.clock.offset += 120_000;
    await comes(async () => (await state()).silent_since_ms === null);
    assert.deepEqual(await silentIssuers(db), []);
    const told = await tellings();
    assert.deepEqual(
      told.slice(before).map(({ type }) => type),
      ["idp-silent", "idp-answers"],
    );
    assert.equal((await renew(dana)).status, 201);
  });

  it("keeps the token of a certificate that is over, and does not ask about it", async () => {
    const dana = await signIn();
    plane.clock.offset += 7_200_000;
    await looked();
    assert.equal(questions, 0);
    plane.clock.offset += 43_200_000;
    await comes(async () => (await grantOf(dana)) === undefined);
  });

  it("asks about somebody who goes on using the API when their certificate is over, and ends that", async () => {
    const dana = await signIn();
    const account = plane.idp.accounts.get("dana") ?? assert.fail();
    plane.idp.accounts.delete("dana");
    plane.clock.offset += 2 * 3_600_000;
    try {
      const me = async () => (await call(plane.url, "GET", "/me", { token: dana.response.apiToken })).status;
      assert.equal(await me(), 200);
      await comes(async () => (await me()) === 401);
    } finally {
      plane.idp.accounts.set("dana", account);
    }
  });

  it("forgets the token of somebody whose access was revoked, and tells the IdP", async () => {
    const dana = await signIn();
    const admin = await signIn("sam");
    const revoked = new Promise<void>((resolve) => {
      plane.idp.intercept = async (path) => {
        if (path === "/token/revocation") resolve();
        return undefined;
      };
    });
    const body = { level: "key", target: dana.name, reason: "test" };
    const answer = await call(plane.url, "POST", "/revocations", { token: admin.response.apiToken, body });
    assert.equal(answer.status, 201, answer.message);
    await revoked;
    assert.equal(await grantOf(dana), undefined);
  });

  it("has no token in the database that opens without the key file, or in another's place", async () => {
    const [dana, eve] = [await signIn(), await signIn("eve")];
    const rows = JSON.stringify(await db.selectFrom("sign_in_grants").selectAll().execute());
    for (const { refreshToken } of [dana, eve]) assert.ok(!rows.includes(refreshToken));
    const { token_sealed } = await kept(eve);
    const sealing = await openGrantSealing(db, join(plane.directory, "keys"));
    const owner = (person: SignedIn) => grantOwner(plane.idp.issuer, person.name);
    assert.equal(sealing.open(token_sealed, owner(eve)), eve.refreshToken);
    assert.throws(() => sealing.open(token_sealed, owner(dana)), /does not open/);
    const elsewhere = mkdtempSync(join(tmpdir(), "sallyport-thief-"));
    try {
      await assert.rejects(openGrantSealing(db, elsewhere), /is missing: restore/);
      assert.equal(await renewGrantSealing(db, elsewhere, { now: plane.environment.clock() }), 2);
      const other = await openGrantSealing(db, elsewhere);
      assert.throws(() => other.open(token_sealed, owner(eve)), /does not open/);
      assert.notEqual((await kept(eve)).lost_at_ms, null);
    } finally {
      rmSync(elsewhere, { recursive: true, force: true });
      await db.deleteFrom("sealing_keys").where("kid", "!=", sealing.kid).execute();
    }
  });

  it("says to those who watch how it stands, and to nobody else", async () => {
    const [dana, audrey] = [await signIn(), await signIn("audrey")];
    await checked(dana);
    const path = "/issuers";
    assert.equal((await call(plane.url, "GET", path, { token: dana.response.apiToken })).status, 403);
    const answer = await call(plane.url, "GET", path, { token: audrey.response.apiToken });
    const [view] = z.array(IssuerView).parse(answer.body);
    assert.deepEqual(
      [view?.name, view?.check.by, view?.signIns, view?.silentSince, view?.failures],
      ["Test IdP", "refresh", { kept: 1, live: 1, lost: 0 }, null, 0],
    );
    assert.ok(view?.lastAnswerAt);
  });
});

describe("the active check by introspection", () => {
  it("asks as a client of its own, and by refresh only for a renewal", async () => {
    const directory = mkdtempSync(join(tmpdir(), "sallyport-introspection-"));
    const clientSecretFile = join(directory, "secret");
    writeFileSync(clientSecretFile, `${SERVER_CLIENT.clientSecret}\n`);
    const introspection = { clientId: SERVER_CLIENT.clientId, clientSecretFile };
    const plane = await startTestControlPlane({ issuer: { check: { by: "introspection", introspection } } });
    const db = await plane.database();
    try {
      const paths: string[] = [];
      const key = makeClientKey();
      const { idToken, refreshToken } = await tokensAtIdp(plane.idp.issuer, "dana", key.nonce);
      const body = { ...certificateRequest(key, idToken, await challenge(plane.url)), refreshToken };
      assert.equal((await call(plane.url, "POST", "/certificates", { body })).status, 201);
      plane.idp.intercept = async (path, when) => {
        if (when === "request") paths.push(path);
        return undefined;
      };
      const grant = () => db.selectFrom("sign_in_grants").selectAll().executeTakeFirst();
      const before = (await grant())?.last_answer_at_ms;
      plane.clock.offset += PERIOD_MS;
      assert.ok(await until(async () => (await grant())?.last_answer_at_ms !== before, 5000));
      assert.deepEqual(
        [...new Set(paths)].filter((path) => path.startsWith("/token")),
        ["/token/introspection"],
      );
      // As an IdP does by itself that ends the tokens of whom it disables.
      const form = new URLSearchParams({ token: refreshToken, client_id: "sallyport-cli" });
      await fetch(`${plane.idp.issuer}/token/revocation`, { method: "POST", body: form });
      plane.clock.offset += PERIOD_MS;
      const revoked = () => db.selectFrom("revocations").select("reason").executeTakeFirst();
      assert.ok(await until(async () => (await revoked()) !== undefined, 5000));
      assert.match((await revoked())?.reason ?? "", /introspection: not active/);
    } finally {
      await db.destroy();
      await plane.close();
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
