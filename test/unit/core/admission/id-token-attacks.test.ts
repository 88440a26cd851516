import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { MAX_ID_TOKEN, verifyIdToken } from "@sallyport/core/admission/id-token.ts";
import { CompactEncrypt, FlattenedSign, GeneralSign } from "jose";
import {
  CLAIMS,
  CLIENT,
  ec,
  encode,
  HEADER,
  ISSUER,
  KEYS,
  makeContext,
  makeToken,
  publicJwk,
  rsa,
  stranger,
  TRUSTED,
  verdict,
} from "./identity-provider.ts";

/** A token whose header is swapped after signing. */
async function withHeader(header: unknown): Promise<string> {
  return (await makeToken()).replace(/^[^.]+/, encode(header));
}
const payload = encode(CLAIMS);
const none = (alg: string, signature = ""): string => `${encode({ alg })}.${payload}.${signature}`;
const hs256 = (secret: string | Uint8Array) => makeToken({}, { alg: "HS256" }, Buffer.from(secret));
const general = () =>
  new GeneralSign(Buffer.from(JSON.stringify(CLAIMS)))
    .addSignature(stranger.privateKey)
    .setProtectedHeader(HEADER)
    .addSignature(ec.privateKey)
    .setProtectedHeader(HEADER)
    .sign();
const flattened = (payloadText = JSON.stringify(CLAIMS)) =>
  new FlattenedSign(Buffer.from(payloadText)).setProtectedHeader(HEADER).sign(ec.privateKey);

const rows: [what: string, token: () => string | Promise<string>, code: string][] = [
  ["alg none", () => none("none"), "token-algorithm"],
  ["alg None", () => none("None"), "token-algorithm"],
  ["alg NONE with a signature", () => none("NONE", "AAAA"), "token-algorithm"],
  ["an empty alg", () => none(""), "token-algorithm"],
  ["alg as a list", () => withHeader({ ...HEADER, alg: ["none", "ES256"] }), "token-malformed"],
  [
    "a good token's signature cut off",
    async () => (await makeToken()).replace(/[^.]+$/, ""),
    "token-signature",
  ],
  [
    "HS256 with the public key's PEM",
    () => hs256(ec.publicKey.export({ type: "spki", format: "pem" })),
    "token-algorithm",
  ],
  [
    "HS256 with the RSA key's PEM",
    () => hs256(rsa.publicKey.export({ type: "spki", format: "pem" })),
    "token-algorithm",
  ],
  [
    "HS256 with the public key's DER",
    () => hs256(ec.publicKey.export({ type: "spki", format: "der" })),
    "token-algorithm",
  ],
  ["HS256 with the JWK's text", () => hs256(JSON.stringify(KEYS.keys[0])), "token-algorithm"],
  ["ES256 by the header, the RSA key's name", () => makeToken({}, { kid: "rsa-1" }), "token-key-unknown"],
  ["crit with a name nobody knows", () => withHeader({ ...HEADER, crit: ["x"], x: 1 }), "token-malformed"],
  ["crit with a claim's name", () => withHeader({ ...HEADER, crit: ["exp"], exp: 1 }), "token-malformed"],
  ["an empty crit", () => withHeader({ ...HEADER, crit: [] }), "token-malformed"],
  ["crit null", () => withHeader({ ...HEADER, crit: null }), "token-malformed"],
  ["b64=false, signed so", () => makeTokenWithout64(), "token-malformed"],
  ["b64=false without crit", () => withHeader({ ...HEADER, b64: false }), "token-malformed"],
  ["b64=true", () => withHeader({ ...HEADER, b64: true }), "token-malformed"],
  ["a token inside a token", async () => makeToken(await makeToken(), { cty: "JWT" }), "token-malformed"],
  [
    "a token as a claim's text inside JSON",
    async () => makeToken(JSON.stringify(await makeToken())),
    "token-malformed",
  ],
  ["an encrypted token", () => encrypted(), "token-malformed"],
  ["flattened JSON", async () => JSON.stringify(await flattened()), "token-malformed"],
  ["general JSON, several signatures", async () => JSON.stringify(await general()), "token-malformed"],
  ["a fourth part", async () => `${await makeToken()}.${payload}`, "token-malformed"],
  ["a space behind it", async () => `${await makeToken()} `, "token-malformed"],
  ["a NUL behind it", async () => `${await makeToken()}\0`, "token-malformed"],
  [
    "a second token behind a comma",
    async () => `${await makeToken()},${await makeToken()}`,
    "token-malformed",
  ],
  ["a logout token, which anybody may be sent", () => makeToken({ events: {} }), "token-malformed"],
  ["a logout token, by its type", () => makeToken({}, { typ: "logout+jwt" }), "token-malformed"],
  ["a Security Event Token", () => makeToken({}, { typ: "application/SecEvent+JWT" }), "token-malformed"],
  ["an access token", () => makeToken({}, { typ: "at+jwt" }), "token-malformed"],
  ["kid that is a path", () => makeToken({}, { kid: "../../../../etc/passwd" }), "token-key-unknown"],
  ["kid that is a query", () => makeToken({}, { kid: "' or 1=1 --" }), "token-key-unknown"],
  ["kid that is a number", () => withHeader({ ...HEADER, kid: 1 }), "token-malformed"],
  ["kid that every object has", () => makeToken({}, { kid: "__proto__" }), "token-key-unknown"],
  ["kid of 256 characters", () => makeToken({}, { kid: "x".repeat(256) }), "token-malformed"],
  [
    "a key of its own (jwk)",
    () => makeToken({}, { jwk: publicJwk(stranger.publicKey, {}) }, stranger.privateKey),
    "token-signature",
  ],
  [
    "a key set of its own (jku)",
    () => makeToken({}, { jku: "https://evil.example/jwks" }, stranger.privateKey),
    "token-signature",
  ],
  [
    "a certificate of its own (x5c)",
    () => makeToken({}, { x5c: ["MIIB"] }, stranger.privateKey),
    "token-signature",
  ],
  ["an ECDSA signature in DER", () => withDerSignature(), "token-signature"],
  ["several audiences, ours among them", () => makeToken({ aud: [CLIENT, "web-client"] }), "token-audience"],
  [
    "several audiences, azp ours",
    () => makeToken({ aud: ["web-client", CLIENT], azp: CLIENT }),
    "token-audience",
  ],
  ["our audience, azp another client", () => makeToken({ aud: CLIENT, azp: "web-client" }), "token-audience"],
  ["an audience that begins with ours", () => makeToken({ aud: `${CLIENT}-evil` }), "token-audience"],
  ["an audience in capitals", () => makeToken({ aud: CLIENT.toUpperCase() }), "token-audience"],
  ["an audience that is an object", () => makeToken({ aud: { 0: CLIENT } }), "token-malformed"],
  ["another tenant's issuer", () => makeToken({ iss: "https://idp.example/tenant-b" }), "token-issuer"],
  ["our issuer with a slash", () => makeToken({ iss: `${ISSUER}/` }), "token-issuer"],
  ["our issuer in capitals", () => makeToken({ iss: ISSUER.toUpperCase() }), "token-issuer"],
  [
    "our issuer with a user before it",
    () => makeToken({ iss: ISSUER.replace("//", "//x@") }),
    "token-issuer",
  ],
  ["an issuer that begins with ours", () => makeToken({ iss: `${ISSUER}.evil.example` }), "token-issuer"],
  [
    "an expiry beyond all numbers",
    () => makeToken(JSON.stringify(CLAIMS).replace(/"exp":\d+/, '"exp":1e999')),
    "token-malformed",
  ],
  [
    "a time of issue beyond all numbers",
    () => makeToken(JSON.stringify(CLAIMS).replace(/"iat":\d+/, '"iat":-1e999')),
    "token-malformed",
  ],
  ["a payload that is not closed", () => makeToken(JSON.stringify(CLAIMS).slice(0, -1)), "token-malformed"],
  ["a payload with something behind it", () => makeToken(`${JSON.stringify(CLAIMS)}{}`), "token-malformed"],
  ["nesting ten thousand deep", () => makeToken(`${"[".repeat(7000)}${"]".repeat(7000)}`), "token-malformed"],
  ["a token one character too long", () => "x".repeat(MAX_ID_TOKEN + 1), "token-malformed"],
  ["ten megabytes of dots", () => ".".repeat(10_000_000), "token-malformed"],
];

describe("an ID token that tries something", () => {
  for (const [what, token, code] of rows) {
    it(`${what}: ${code}`, async () => assert.equal(await verdict(token()), code));
  }

  it("with a claim twice is judged and read alike: the last one counts (RFC 7519 §4)", async () => {
    const twice = (name: string, first: string, second: string) =>
      makeToken(
        JSON.stringify({ ...CLAIMS, [name]: undefined }).replace(
          "{",
          `{"${name}":"${first}","${name}":"${second}",`,
        ),
      );
    assert.equal(await verdict(twice("iss", ISSUER, "https://evil.example")), "token-issuer");
    assert.equal(await verdict(twice("aud", CLIENT, "web-client")), "token-audience");
    assert.equal(
      (await verifyIdToken(await twice("sub", "mallory", "alice"), makeContext())).subject,
      "alice",
    );
  });

  it("with an algorithm twice in its header is judged by the one that is used", async () => {
    const token = await makeToken();
    const header = JSON.stringify(HEADER).replace("{", '{"alg":"none",');
    assert.equal(await verdict(token.replace(/^[^.]+/, encode(header))), "token-signature");
    const reversed = JSON.stringify(HEADER).replace("}", ',"alg":"none"}');
    assert.equal(await verdict(token.replace(/^[^.]+/, encode(reversed))), "token-algorithm");
  });

  it("with a claim from the prototype gains nothing", async () => {
    const token = makeToken(
      JSON.stringify({ ...CLAIMS, sub: undefined }).replace("{", '{"__proto__":{"sub":"alice"},'),
    );
    assert.equal(await verdict(token), "token-malformed");
  });

  it("signed by another pinned issuer's key is refused", async () => {
    const other = "https://idp.example/tenant-b";
    const otherKeys = { keys: [publicJwk(stranger.publicKey, { kid: "ec-1" })] };
    const context = makeContext({
      issuers: [TRUSTED, { ...TRUSTED, issuer: other }],
      keys: (issuer) => (issuer === other ? otherKeys : KEYS),
    });
    assert.equal(await verdict(makeToken({}, {}, stranger.privateKey), context), "token-signature");
    assert.equal(await verdict(makeToken({ iss: other }, {}, stranger.privateKey), context), "verified");
    assert.equal(await verdict(makeToken({ iss: other }), context), "token-signature");
  });

  it("signed by a key that is for encryption, or of 1024 bits, is refused", async () => {
    const forEncryption = { keys: [publicJwk(ec.publicKey, { kid: "ec-1", use: "enc" })] };
    assert.equal(await verdict(makeToken(), makeContext({ keys: () => forEncryption })), "token-key-unknown");
    const small = generateKeyPairSync("rsa", { modulusLength: 1024 });
    const token = (await makeToken()).replace(/^[^.]+/, encode({ alg: "RS256", kid: "s" }));
    const keys = { keys: [publicJwk(small.publicKey, { kid: "s" })] };
    assert.equal(await verdict(token, makeContext({ keys: () => keys })), "token-signature");
  });

  it("is refused when the cached keys make no sense", async () => {
    for (const keys of [{}, { keys: "x" }, { keys: [{ kid: "ec-1", kty: "EC", alg: "ES256" }] }]) {
      const code = await verdict(makeToken(), makeContext({ keys: () => keys as unknown as typeof KEYS }));
      assert.match(code, /^token-(signature|key-unknown)$/);
    }
  });

  it("never verifies with any one character changed", async () => {
    const token = await makeToken();
    for (let at = 0; at < token.length - 1; at++) {
      if (token[at] === "." || token[at + 1] === ".") continue; // the last character of a part has unused bits
      const changed = `${token.slice(0, at)}${token[at] === "A" ? "B" : "A"}${token.slice(at + 1)}`;
      assert.notEqual(await verdict(changed), "verified", `at ${at}`);
    }
  });
});

async function makeTokenWithout64(): Promise<string> {
  const { signature } = await new FlattenedSign(Buffer.from(JSON.stringify(CLAIMS)))
    .setProtectedHeader({ ...HEADER, b64: false, crit: ["b64"] })
    .sign(ec.privateKey);
  return `${encode({ ...HEADER, b64: false, crit: ["b64"] })}.${payload}.${signature}`;
}

async function withDerSignature(): Promise<string> {
  const { sign } = await import("node:crypto");
  const signed = `${encode(HEADER)}.${payload}`;
  return `${signed}.${sign("sha256", Buffer.from(signed), ec.privateKey).toString("base64url")}`;
}

function encrypted(): Promise<string> {
  return new CompactEncrypt(Buffer.from(JSON.stringify(CLAIMS)))
    .setProtectedHeader({ alg: "RSA-OAEP-256", enc: "A256GCM" })
    .encrypt(rsa.publicKey);
}
