import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync } from "node:crypto";
import { listAuditEvents } from "@sallyport/control-plane/database/audit-events.ts";
import { parseCertificateLine } from "@sallyport/core/ssh/certificate.ts";
import { SignJWT } from "jose";
import {
  type ClientKey,
  call,
  certificateRequest,
  challenge,
  makeClientKey,
  signIn,
} from "./support/client.ts";
import { startTestControlPlane, type TestControlPlane } from "./support/control-plane.ts";
import { signInAtIdp } from "./support/sign-in.ts";

/** What a row changes of a request that would be good; all of it is made fresh for each row. */
interface Attempt {
  key: ClientKey;
  idToken: string;
  challenge: string;
}
type Body = ReturnType<typeof certificateRequest>;

describe("POST /certificates", () => {
  let plane: TestControlPlane;
  before(async () => {
    plane = await startTestControlPlane();
    await signIn(plane.url, plane.idp.issuer, "dana");
  });
  after(() => plane.close());

  const post = (body: unknown) => call(plane.url, "POST", "/certificates", { body });
  const attempt = async (sub = "dana"): Promise<Attempt> => {
    const key = makeClientKey();
    return {
      key,
      idToken: await signInAtIdp(plane.idp.issuer, sub, key.nonce),
      challenge: await challenge(plane.url),
    };
  };
  const good = async (sub?: string): Promise<Body> => {
    const { key, idToken, challenge } = await attempt(sub);
    return certificateRequest(key, idToken, challenge);
  };
  /** A request with a token of our own making: the IdP's claims with changes, signed by its key or another. */
  const forged = async (
    changes: object,
    options: { alg?: string; key?: Parameters<SignJWT["sign"]>[0]; kid?: string } = {},
  ) => {
    const key = makeClientKey();
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: plane.idp.issuer,
      aud: "sallyport-cli",
      sub: "dana",
      iat: now,
      exp: now + 600,
      nonce: key.nonce,
      ...changes,
    };
    const { signingKey } = plane.idp;
    const idToken = await new SignJWT(claims)
      .setProtectedHeader({ alg: options.alg ?? "RS256", kid: options.kid ?? signingKey.kid })
      .sign(options.key ?? signingKey.privateKey);
    return certificateRequest(key, idToken, await challenge(plane.url));
  };
  const unsigned = async (header: object, sign: (input: string) => string) => {
    const key = makeClientKey();
    const now = Math.floor(Date.now() / 1000);
    const claims = {
      iss: plane.idp.issuer,
      aud: "sallyport-cli",
      sub: "dana",
      iat: now,
      exp: now + 600,
      nonce: key.nonce,
    };
    const input = [header, claims]
      .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
      .join(".");
    return certificateRequest(key, `${input}.${sign(input)}`, await challenge(plane.url));
  };
  const seconds = () => Math.floor(Date.now() / 1000);

  const rows: [name: string, make: () => Promise<unknown>, status: number, code: string, message: RegExp][] =
    [
      ["no body", async () => ({}), 400, "message-malformed", /wrong shape at v/],
      ["no JSON", async () => "{", 400, "message-malformed", /not JSON/],
      [
        "a key too many",
        async () => ({ ...(await good()), extra: 1 }),
        400,
        "message-malformed",
        /wrong shape/,
      ],
      [
        "a challenge of nobody",
        async () => ({ ...(await good()), challenge: "x" }),
        400,
        "challenge-unknown",
        /Sign in again/,
      ],
      [
        "a challenge used before",
        async () => {
          const { key, idToken, challenge } = await attempt();
          assert.equal(
            (await post({ ...certificateRequest(key, idToken, challenge), proof: "AAAA" })).code,
            "proof-invalid",
          );
          return certificateRequest(key, idToken, challenge);
        },
        400,
        "challenge-unknown",
        /used already/,
      ],
      [
        "a proof by another key",
        async () => {
          const { key, idToken, challenge } = await attempt();
          return certificateRequest({ ...key, privateKey: makeClientKey().privateKey }, idToken, challenge);
        },
        400,
        "proof-invalid",
        /proof/,
      ],
      [
        "a proof over another challenge",
        async () => ({ ...(await good()), challenge: await challenge(plane.url) }),
        400,
        "proof-invalid",
        /proof/,
      ],
      [
        "a token for another key",
        async () => {
          const { idToken, challenge } = await attempt();
          return certificateRequest(makeClientKey(), idToken, challenge);
        },
        400,
        "token-invalid",
        /^nonce-mismatch: /,
      ],
      [
        "a token without nonce",
        () => forged({ nonce: undefined }),
        400,
        "token-invalid",
        /^nonce-mismatch: /,
      ],
      [
        "a token for another application of the IdP",
        async () => {
          const key = makeClientKey();
          const idToken = await signInAtIdp(plane.idp.issuer, "dana", key.nonce, "another-app");
          return certificateRequest(key, idToken, await challenge(plane.url));
        },
        400,
        "token-invalid",
        /^token-audience: /,
      ],
      [
        "a token for two audiences",
        () => forged({ aud: ["sallyport-cli", "another-app"], azp: "sallyport-cli" }),
        400,
        "token-invalid",
        /^token-audience: /,
      ],
      [
        "another issuer",
        () => forged({ iss: "https://idp.else.test" }),
        400,
        "token-invalid",
        /^token-issuer: /,
      ],
      [
        "an expired token",
        () => forged({ iat: seconds() - 900, exp: seconds() - 300 }),
        400,
        "token-invalid",
        /^token-expired: .*clock/,
      ],
      [
        "a token that expired just now",
        () => forged({ iat: seconds() - 900, exp: seconds() - 5 }),
        400,
        "token-invalid",
        /^token-expired: .*clock/,
      ],
      [
        "a token of the future",
        () => forged({ iat: seconds() + 600, exp: seconds() + 900 }),
        400,
        "token-invalid",
        /^token-not-yet-valid: .*clock/,
      ],
      [
        "a token that is too old",
        () => forged({ iat: seconds() - 90_000 }),
        400,
        "token-invalid",
        /^token-too-old: /,
      ],
      [
        "a key of another",
        () => forged({}, { key: generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey }),
        400,
        "token-invalid",
        /^token-signature: /,
      ],
      [
        "a key that nobody knows",
        () => forged({}, { kid: "who" }),
        400,
        "token-invalid",
        /^token-key-unknown: /,
      ],
      [
        "an algorithm that is not allowed",
        () => forged({}, { alg: "PS256" }),
        400,
        "token-invalid",
        /^token-algorithm: /,
      ],
      ["alg none", () => unsigned({ alg: "none" }, () => ""), 400, "token-invalid", /^token-algorithm: /],
      [
        "HS256 with the public key as secret",
        () => {
          const secret = plane.idp.signingKey.publicKey.export({ format: "pem", type: "spki" });
          const sign = (input: string) => createHmac("sha256", secret).update(input).digest("base64url");
          return unsigned({ alg: "HS256", kid: plane.idp.signingKey.kid }, sign);
        },
        400,
        "token-invalid",
        /^token-algorithm: /,
      ],
      [
        "no token at all",
        async () => ({ ...(await good()), idToken: "x" }),
        400,
        "token-invalid",
        /^token-malformed: /,
      ],
      [
        "a token used before",
        async () => {
          const { key, idToken, challenge: first } = await attempt();
          assert.equal((await post(certificateRequest(key, idToken, first))).status, 201);
          return certificateRequest(key, idToken, await challenge(plane.url));
        },
        400,
        "token-invalid",
        /^token-replayed: /,
      ],
      [
        "somebody not invited",
        () => good("stranger"),
        403,
        "not-invited",
        /stranger@else\.test is not invited.*Ask/,
      ],
      [
        "an e-mail that is not verified",
        () => good("unverified"),
        403,
        "not-invited",
        /not confirm that uma@vendor\.test is verified/,
      ],
      [
        "an e-mail that is pinned to another",
        () => good("second-dana"),
        403,
        "not-invited",
        /already used by another account/,
      ],
    ];
  for (const [name, make, status, code, message] of rows) {
    it(`refuses ${name}`, async () => {
      const answer = await post(await make());
      assert.deepEqual([answer.status, answer.code], [status, code], answer.message);
      assert.match(answer.message, message);
      assert.equal(answer.headers.get("cache-control"), "no-store");
    });
  }

  it("refuses a body over 256 KiB", async () => {
    const answer = await post(JSON.stringify({ idToken: "x".repeat(300_000) }));
    assert.deepEqual([answer.status, answer.code], [413, "message-too-large"]);
  });

  it("refuses a revoked member, saying who, why and whom to ask", async () => {
    const sam = await signIn(plane.url, plane.idp.issuer, "sam");
    await signIn(plane.url, plane.idp.issuer, "eve");
    const body = { level: "member", target: "eve@vendor.test", reason: "left the company" };
    assert.equal((await call(plane.url, "POST", "/revocations", { token: sam.apiToken, body })).status, 201);
    const answer = await post(await good("eve"));
    assert.deepEqual([answer.status, answer.code], [403, "forbidden"]);
    assert.match(
      answer.message,
      /revoked \d{4}-\d\d-\d\d \d\d:\d\d UTC by sec@acme\.test: left the company\. Ask sec@acme\.test\./,
    );
  });

  it("gives a short certificate to one whose engagement has not begun, so that the host can say why", async () => {
    const account = { sub: "early", email: "early@vendor.test", emailVerified: true, name: "Early", amr: [] };
    plane.idp.accounts.set(account.sub, account);
    plane.writePolicy("version: 1\nmembers: [{ name: Early, email: early@vendor.test, vendor: vendor }]\n");
    await plane.running.reloadPolicy();
    const { certificate, me } = await signIn(plane.url, plane.idp.issuer, "early");
    assert.deepEqual(me.engagements, []);
    const { validAfter, validBefore } = parseCertificateLine(certificate?.line ?? "");
    assert.equal(validBefore - validAfter, 360);
  });

  it("leaves a trace of every issue and refusal, without tokens", async () => {
    const db = await plane.database();
    const events = await listAuditEvents(db, 1000);
    await db.destroy();
    const types = new Set(events.map(({ type }) => type));
    for (const type of [
      "signed-in",
      "certificate-issued",
      "certificate-refused",
      "identity-pinned",
      "revoked",
    ])
      assert.ok(types.has(type), type);
    assert.ok(events.every(({ data_json }) => !/eyJ[\w-]+\./.test(data_json)));
  });
});
