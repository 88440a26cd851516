import assert from "node:assert/strict";
import { createHmac, createPublicKey, type JsonWebKey } from "node:crypto";
import { agentLog, logged } from "../../fixtures/agent-log.ts";
import { type Forgery, forgeLogin } from "../../fixtures/forged-login.ts";
import { run } from "../../fixtures/processes.ts";
import { PEOPLE, startWorld, type World } from "../../fixtures/world.ts";

const subjectOf = (name: string): string => PEOPLE.find((one) => one.name === name)?.sub ?? "";
const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const now = (): number => Math.floor(Date.now() / 1000);
type Claims = Record<string, unknown>;

/**
 * The tokens that would be a provider's or a library's weakness: each is signed by the identity provider's own key where
 * a key can sign it, in a certificate that the user CA signed for the right key.
 */
describe("an ID token in a good certificate", () => {
  let world: World;
  let alice: string;
  let publicKey: { pem: string; jwk: JsonWebKey };

  before(async () => {
    world = await startWorld({ engagements: [{ name: "web", members: ["alice"] }] });
    alice = subjectOf("alice");
    await world.signedIn("alice");
    const answer = await fetch(`${world.idp.issuer}/jwks`);
    const [jwk = {}] = ((await answer.json()) as { keys: JsonWebKey[] }).keys;
    const pem = createPublicKey({ key: jwk, format: "jwk" }).export({ format: "pem", type: "spki" });
    publicKey = { pem: pem.toString(), jwk };
    // A header of another member is signed and passes: so it is not the forger who is refused below.
    const { stdout, stderr } = await run(forgeLogin(world, alice, { token: under({ x: 1 }) }).ssh("echo in"));
    assert.equal(stdout.toString(), "in\n", stderr);
  });
  after(() => world.close());

  const signed = (claims: Claims, header: Claims = {}): string => world.idp.signIdToken(claims, header);
  const under = (header: Claims) => (claims: Claims) => signed(claims, header);
  const pieces = (token: string) => {
    const [header = "", payload = "", signature = ""] = token.split(".");
    return { protected: header, payload, signature };
  };
  const hs256 =
    (secret: () => string, kid = true) =>
    (claims: Claims) => {
      const text = `${part({ alg: "HS256", ...(kid ? { kid: publicKey.jwk.kid } : {}) })}.${part(claims)}`;
      return `${text}.${createHmac("sha256", secret()).update(text).digest("base64url")}`;
    };
  /** RFC 7515 §7.2.1, a second signature besides the good one. */
  const general = (claims: Claims, first: object, second: object): string => {
    const good = pieces(signed(claims));
    return JSON.stringify({ payload: good.payload, signatures: [first, { ...second, ...good }] });
  };

  const rows: [attempt: string, code: string, Forgery][] = [
    [
      "HS256, the secret is the provider's public key in PEM",
      "token-algorithm",
      { token: hs256(() => publicKey.pem) },
    ],
    [
      "HS256, the secret is the provider's key in JSON",
      "token-algorithm",
      { token: hs256(() => JSON.stringify(publicKey.jwk), false) },
    ],
    [
      "alg none, with the provider's key named",
      "token-algorithm",
      { token: (claims) => `${part({ alg: "none", kid: publicKey.jwk.kid })}.${part(claims)}.` },
    ],
    [
      "alg none, with a good signature of another header",
      "token-algorithm",
      { token: (claims) => `${part({ alg: "none" })}.${part(claims)}.${pieces(signed(claims)).signature}` },
    ],
    [
      "the good signature cut off",
      "token-signature",
      { token: (claims) => signed(claims).replace(/[^.]+$/, "") },
    ],
    ["another alg's name over a good signature", "token-algorithm", { token: under({ alg: "PS256" }) }],
    ["crit with a name that nobody knows", "token-malformed", { token: under({ crit: ["x"], x: 1 }) }],
    ["crit with nothing in it", "token-malformed", { token: under({ crit: [] }) }],
    ["b64 false", "token-malformed", { token: under({ b64: false, crit: ["b64"] }) }],
    ["kid that is a path", "token-key-unknown", { token: under({ kid: "../../../../dev/null" }) }],
    ["kid that is a statement", "token-key-unknown", { token: under({ kid: "' or 1=1 --" }) }],
    ["kid that every object has", "token-key-unknown", { token: under({ kid: "__proto__" }) }],
    [
      "general JSON serialisation, two signatures, ours good",
      "token-malformed",
      { token: (claims) => general(claims, { protected: part({ alg: "none" }), signature: "" }, {}) },
    ],
    [
      "general JSON serialisation, an unprotected header",
      "token-malformed",
      { token: (claims) => general(claims, pieces(signed(claims)), { header: { alg: "none" } }) },
    ],
    [
      "flattened JSON serialisation",
      "token-malformed",
      { token: (claims) => JSON.stringify(pieces(signed(claims))) },
    ],
    [
      "a header with alg twice, the last one none",
      "token-algorithm",
      {
        token: (claims) =>
          `${Buffer.from(`{"alg":"RS256","kid":"${publicKey.jwk.kid}","alg":"none"}`).toString("base64url")}.${part(claims)}.${pieces(signed(claims)).signature}`,
      },
    ],
    [
      "a header with alg twice, the first one none",
      "token-signature",
      {
        token: (claims) =>
          `${Buffer.from(`{"alg":"none","kid":"${publicKey.jwk.kid}","alg":"RS256"}`).toString("base64url")}.${part(claims)}.${pieces(signed(claims)).signature}`,
      },
    ],
    ["a line end behind", "token-malformed", { token: (claims) => `${signed(claims)}\n` }],
    ["a NUL and text behind", "token-malformed", { token: (claims) => `${signed(claims)}\0x` }],
    [
      "a second token behind",
      "token-malformed",
      { token: (claims) => `${signed(claims)} ${signed(claims)}` },
    ],
    ["a fourth part", "token-malformed", { token: (claims) => `${signed(claims)}.AA` }],
    [
      "a token in a token, both signed",
      "token-malformed",
      { token: (claims) => signed(signed(claims) as unknown as Claims, { cty: "JWT" }) },
    ],
    ["the console's client as aud", "token-audience", { claims: { aud: "sallyport-console" } }],
    [
      "our client and another as aud",
      "token-audience",
      { claims: { aud: ["sallyport-cli", "other"], azp: "sallyport-cli" } },
    ],
    ["our client in capitals as aud", "token-audience", { claims: { aud: "SALLYPORT-CLI" } }],
    [
      "another tenant of the same provider",
      "token-issuer",
      { token: (claims) => signed({ ...claims, iss: `${claims.iss}/tenant-b` }) },
    ],
    [
      "the issuer with a slash more",
      "token-issuer",
      { token: (claims) => signed({ ...claims, iss: `${claims.iss}/` }) },
    ],
    [
      "somebody else with alice's verified e-mail",
      "not-a-member",
      { claims: { sub: subjectOf("mallory"), email: "alice@vendor.test", email_verified: true } },
    ],
    ["alice's subject in capitals", "not-a-member", { claims: { sub: subjectOf("alice").toUpperCase() } }],
    [
      "older than its provider's tokens may be",
      "token-too-old",
      { claims: { iat: now() - 90_000, auth_time: now() - 90_000 } },
    ],
    ["a sign-in older than the engagement takes", "mfa-too-old", { claims: { auth_time: now() - 43_300 } }],
    ["no auth_time, where the engagement asks for one", "mfa-too-old", { claims: { auth_time: undefined } }],
    ["auth_time in the future", "token-not-yet-valid", { claims: { auth_time: now() + 3600 } }],
    ["auth_time as text", "token-malformed", { claims: { auth_time: "now" } }],
    [
      "a nonce that is a list with ours in it",
      "token-malformed",
      { token: (claims) => signed({ ...claims, nonce: [claims.nonce] }) },
    ],
    [
      "a nonce with something behind",
      "nonce-mismatch",
      { token: (claims) => signed({ ...claims, nonce: `${claims.nonce}=` }) },
    ],
  ];
  for (const [attempt, code, forgery] of rows) {
    it(`is refused with ${code}: ${attempt}`, async () => {
      const since = agentLog(world).length;
      const outcome = await run(forgeLogin(world, alice, forgery).ssh("echo in"));
      assert.ok(outcome.status === 255 || outcome.status === 254, `status ${outcome.status}`);
      assert.equal(outcome.stdout.toString(), "");
      assert.equal((await logged(world, (one) => one.message === "login", since)).code, code);
    });
  }

  it("of somebody else, whole and good, is refused in a certificate for another key", async () => {
    const stolen: { token?: string; binding?: string } = {};
    const honest = forgeLogin(world, alice, {
      token: (claims) => (stolen.token = signed(claims)),
      binding: (binding) => (stolen.binding = JSON.stringify(binding)),
    });
    assert.equal((await run(honest.ssh("echo in"))).stdout.toString(), "in\n");
    for (const [forgery, code] of [
      [{ token: () => stolen.token ?? null }, "nonce-mismatch"],
      [{ token: () => stolen.token ?? null, binding: () => stolen.binding ?? null }, "binding-key-mismatch"],
    ] satisfies [Forgery, string][]) {
      const since = agentLog(world).length;
      const outcome = await run(forgeLogin(world, alice, forgery).ssh("echo in"));
      assert.equal(outcome.status, 255);
      assert.equal((await logged(world, (one) => one.message === "login", since)).code, code);
    }
  });
});
