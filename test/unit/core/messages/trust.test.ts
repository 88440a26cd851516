import assert from "node:assert/strict";
import { SallyportError } from "@sallyport/core/errors.ts";
import {
  formatJoinToken,
  type JoinToken,
  parseJoinToken,
  Trust,
  trustHash,
} from "@sallyport/core/messages/trust.ts";
import fc from "fast-check";

const token: JoinToken = {
  v: 1,
  server: "https://sallyport.example",
  id: `jtk_${"0".repeat(26)}`,
  secret: "s".repeat(43),
  trustHash: "h".repeat(43),
};
const keyLine = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== ca";
const issuer = {
  issuer: "https://idp.example",
  clientIds: ["cli"],
  algorithms: ["ES256"],
  maxTokenAge: 3600,
  mfa: { acr: {}, amr: { mfa: "mfa" } },
};
const trust = {
  v: 1,
  controlPlane: "https://sallyport.example",
  userCaKeys: [keyLine],
  hostCaKeys: [keyLine],
  policyKeys: [{ kty: "OKP", crv: "Ed25519", x: "x".repeat(43), kid: "k1" }],
  issuers: [issuer],
};

describe("a join token", () => {
  it("is one word, and comes back from it with spaces and line ends around it", () => {
    const text = formatJoinToken(token);
    assert.match(text, /^spj1\.[A-Za-z0-9_-]+$/);
    assert.deepEqual(parseJoinToken(text), token);
    assert.deepEqual(parseJoinToken(`\n  ${text}\r\n`), token);
  });

  const encode = (value: unknown) => `spj1.${Buffer.from(JSON.stringify(value)).toString("base64url")}`;
  const rows: [what: string, text: string][] = [
    ["nothing", ""],
    ["the prefix alone", "spj1."],
    ["another prefix", formatJoinToken(token).replace("spj1", "spj2")],
    ["its first half", formatJoinToken(token).slice(0, 100)],
    ["without its last character", formatJoinToken(token).slice(0, -1)],
    ["two of them", formatJoinToken(token) + formatJoinToken(token)],
    ["more than 4 KiB", encode({ ...token, server: `https://${"a".repeat(4000)}.example` })],
    ["a member too many", encode({ ...token, x: 1 })],
    ["a server that is no URL", encode({ ...token, server: "sallyport" })],
    ["another version", encode({ ...token, v: 2 })],
    ["a short secret", encode({ ...token, secret: "s" })],
    ["another kind of id", encode({ ...token, id: `mem_${"0".repeat(26)}` })],
    ["null", encode(null)],
  ];
  for (const [what, text] of rows) {
    it(`is refused without being repeated: ${what}`, () => {
      assert.throws(
        () => parseJoinToken(text),
        (error: SallyportError) =>
          error.code === "join-token-malformed" &&
          !error.message.includes(token.secret) &&
          error.cause === undefined,
      );
    });
  }

  it("never throws anything but our error, whatever the text", () => {
    const text = fc.oneof(
      fc.string(),
      fc.string().map((end) => `spj1.${end}`),
      fc.jsonValue().map(encode),
    );
    fc.assert(
      fc.property(text, (word) => {
        try {
          parseJoinToken(word);
        } catch (error) {
          assert.ok(error instanceof SallyportError);
        }
      }),
    );
  });
});

describe("the trust that a host pins", () => {
  it("is read as it is, and hashed the same in whatever order", () => {
    const parsed = Trust.parse(trust);
    const reversed = Trust.parse(Object.fromEntries(Object.entries(trust).reverse()));
    assert.match(trustHash(parsed), /^[A-Za-z0-9_-]{43}$/);
    assert.equal(trustHash(reversed), trustHash(parsed));
  });

  it("has another hash when a key is exchanged", () => {
    const other = Trust.parse({ ...trust, userCaKeys: [keyLine.replace("IA==", "IB==")] });
    assert.notEqual(trustHash(other), trustHash(Trust.parse(trust)));
  });

  const withIssuer = (changes: object) => ({ ...trust, issuers: [{ ...issuer, ...changes }] });
  const rows: [what: string, value: unknown][] = [
    ["no user CA", { ...trust, userCaKeys: [] }],
    ["no policy key", { ...trust, policyKeys: [] }],
    ["no issuer", { ...trust, issuers: [] }],
    ["a key line with a line end", { ...trust, userCaKeys: [`${keyLine}\n${keyLine}`] }],
    ["a key line with options", { ...trust, userCaKeys: [`cert-authority,principals="root" ${keyLine}`] }],
    ["a policy key of another curve", { ...trust, policyKeys: [{ ...trust.policyKeys[0], crv: "P-256" }] }],
    ["a private policy key", { ...trust, policyKeys: [{ ...trust.policyKeys[0], d: "d" }] }],
    ["HS256 allowed", withIssuer({ algorithms: ["HS256"] })],
    ["none allowed", withIssuer({ algorithms: ["none"] })],
    ["no algorithm", withIssuer({ algorithms: [] })],
    ["no client", withIssuer({ clientIds: [] })],
    ["tokens of any age", withIssuer({ maxTokenAge: 1e9 })],
    ["an unknown MFA level", withIssuer({ mfa: { acr: {}, amr: { otp: "strong" } } })],
    ["a member too many", { ...trust, x: 1 }],
  ];
  for (const [what, value] of rows) {
    it(`is refused with ${what}`, () => assert.equal(Trust.safeParse(value).success, false));
  }
});
