import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import { makeBinding } from "@sallyport/core/binding.ts";
import { canonicalJson } from "@sallyport/core/canonical-json.ts";
import { agentLog, logged } from "../../fixtures/agent-log.ts";
import { type Forgery, forgeLogin } from "../../fixtures/forged-login.ts";
import { run } from "../../fixtures/processes.ts";
import { PEOPLE, startWorld, type World } from "../../fixtures/world.ts";

const subjectOf = (name: string): string => PEOPLE.find((one) => one.name === name)?.sub ?? "";
const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const now = (): number => Math.floor(Date.now() / 1000);
const other = generateKeyPairSync("rsa", { modulusLength: 2048 });

describe("an attacker with the user CA's key", () => {
  let world: World;
  let alice: string;

  before(async () => {
    world = await startWorld({ engagements: [{ name: "web", members: ["alice"] }] });
    alice = subjectOf("alice");
    // So that (issuer, subject) is pinned and the host has the IdP's keys.
    await world.signedIn("alice");
    const admitted = await run(forgeLogin(world, alice).ssh("echo in"));
    assert.equal(
      admitted.stdout.toString(),
      "in\n",
      "the forger can make a login that works, so what is refused below is refused for its reason",
    );
  });
  after(() => world.close());

  const withHeader = (header: unknown) => (claims: unknown) => `${part(header)}.${part(claims)}.`;
  const rows: [attempt: string, code: string, Forgery][] = [
    ["no ID token", "token-missing", { token: () => null }],
    ["no binding", "binding-missing", { binding: () => null }],
    ["a token for another key", "nonce-mismatch", { claims: { nonce: "bm90IHRoZSBub25jZQ" } }],
    [
      "another key's binding",
      "nonce-mismatch",
      {
        binding: () =>
          canonicalJson(makeBinding({ kty: "OKP", crv: "Ed25519", x: "A".repeat(43) }, new Uint8Array(32))),
      },
    ],
    ["a token for another client", "token-audience", { claims: { aud: "sallyport-console" } }],
    ["a token for two clients", "token-audience", { claims: { aud: ["sallyport-cli", "another"] } }],
    ["a token of another party", "token-audience", { claims: { azp: "another" } }],
    ["another issuer", "token-issuer", { claims: { iss: "http://127.0.0.1:1" } }],
    [
      "an expired token",
      "token-expired",
      { claims: { exp: now() - 3600, iat: now() - 7200, auth_time: now() - 7200 } },
    ],
    ["a token from the future", "token-not-yet-valid", { claims: { iat: now() + 3600, exp: now() + 7200 } }],
    ["alg none", "token-algorithm", { token: withHeader({ alg: "none" }) }],
    [
      "HS256 with a public key as the secret",
      "token-algorithm",
      {
        token: (claims) => {
          const signed = `${part({ alg: "HS256" })}.${part(claims)}`;
          const secret = other.publicKey.export({ format: "pem", type: "spki" });
          return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
        },
      },
    ],
    [
      "a key of the attacker's own, under the header jwk",
      "token-key-unknown",
      {
        token: (claims) => {
          const jwk = other.publicKey.export({ format: "jwk" });
          const signed = `${part({ alg: "RS256", kid: "../../etc/passwd", jwk })}.${part(claims)}`;
          return `${signed}.${sign("sha256", Buffer.from(signed), other.privateKey).toString("base64url")}`;
        },
      },
    ],
    [
      "the signature of other claims",
      "token-signature",
      {
        token: (claims) => {
          const [header, , signature] = world.idp.signIdToken({ ...claims, sub: "somebody else" }).split(".");
          return `${header}.${part(claims)}.${signature}`;
        },
      },
    ],
    ["a crit header", "token-malformed", { token: withHeader({ alg: "RS256", crit: ["x"], x: 1 }) }],
    [
      "a nested token",
      "token-malformed",
      {
        token: (claims) =>
          `${part({ alg: "RS256", cty: "JWT" })}.${Buffer.from(world.idp.signIdToken(claims)).toString("base64url")}.AA`,
      },
    ],
    ["data behind the token", "token-malformed", { token: (claims) => `${world.idp.signIdToken(claims)}.x` }],
    [
      "other principals",
      "certificate-principals",
      { certificate: (content) => ({ ...content, validPrincipals: ["root", "deploy"] }) },
    ],
    // Unknown to the invitation: identity is proven, so this one is told.
    ["a token without a nonce", "assurance-too-low", { claims: { nonce: undefined } }],
    ["somebody who is no member", "not-a-member", { claims: { sub: "u-nobody" } }],
    ["a sign-in without MFA", "mfa-required", { claims: { amr: ["pwd"] } }],
    ["a sign-in of yesterday", "mfa-too-old", { claims: { auth_time: now() - 86_000 } }],
  ];

  for (const [attempt, code, forgery] of rows) {
    it(`is refused with ${code}: ${attempt}`, async () => {
      const since = agentLog(world).length;
      const outcome = await run(forgeLogin(world, alice, forgery).ssh("echo in"));
      assert.notEqual(outcome.status, 0);
      assert.ok(!outcome.stdout.includes("in\n"));
      assert.doesNotMatch(outcome.stderr, /\bat .*\.ts:\d+|Error:|node:/, "no stack trace");
      const line = await logged(world, (one) => one.message === "login", since);
      assert.equal(line.code, code);
      assert.doesNotMatch(JSON.stringify(line), /eyJ/, "no token in the log");
    });
  }

  // These two sshd itself refuses before it asks anybody.
  it("is refused by sshd: a host certificate, a certificate of another CA", async () => {
    const host = forgeLogin(world, alice, { certificate: (content) => ({ ...content, certType: "host" }) });
    const foreign = forgeLogin(world, alice, { ca: generateKeyPairSync("ed25519").privateKey });
    for (const login of [host, foreign]) {
      const outcome = await run(login.ssh("echo in"));
      assert.equal(outcome.status, 255);
      assert.match(outcome.stderr, /Permission denied/);
    }
  });

  it("tells nothing where identity is not proven, and the reason where it is", async () => {
    const unproven = await run(forgeLogin(world, alice, { token: () => null }).ssh("true"));
    assert.match(unproven.stderr, /^deploy@127\.0\.0\.1: Permission denied \(publickey\)\.\s*$/);
    const proven = await run(forgeLogin(world, alice, { claims: { amr: ["pwd"] } }).ssh("true"));
    assert.match(proven.stderr, /^sallyport: Engagement web needs a sign-in with a second factor/);
    assert.equal(proven.status, 254);
  });

  it("never finds a token or a certificate in a log", () => {
    for (const path of [world.host.agentLog(), world.host.sshdLog()]) {
      assert.doesNotMatch(readFileSync(path, "utf8"), /eyJhbGci|AAAA[A-Za-z0-9+/]{200}/);
    }
  });
});
