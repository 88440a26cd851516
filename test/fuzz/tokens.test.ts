import assert from "node:assert/strict";
import { createHmac, sign } from "node:crypto";
import { CLOCK_SKEW, verifyIdToken } from "@sallyport/core/admission/id-token.ts";
import { bindingNonce } from "@sallyport/core/binding.ts";
import fc from "fast-check";
import {
  CLAIMS,
  CLIENT,
  ec,
  encode,
  HEADER,
  ISSUER,
  makeContext,
  NOW,
  rsa,
  stranger,
  TRUSTED,
} from "../unit/core/admission/identity-provider.ts";
import { makeCertificate } from "../unit/core/admission/login-certificate.ts";
import { fuzz, RUNS, refusalOr, timeLimit } from "./support/fuzz.ts";
import { admits, type GoodLogin, makeLogin } from "./support/login.ts";
import { edits, mutate } from "./support/mutate.ts";

/** Values of every kind that JSON has, as JSON text: numbers that are too large, names that mean something to JavaScript. */
const jsonText = fc.oneof(
  fc.constantFrom(
    "null",
    "true",
    "1e999",
    "-1e999",
    "-0",
    "1e308",
    "9007199254740993",
    "123456789012345678901234567890",
    "0.1",
    `${NOW}`,
    `${NOW + 300}`,
    `${NOW - 10}`,
    `${NOW + CLOCK_SKEW + 1}`,
    '"\\ud800"',
    '"\\u0000"',
    '"none"',
    '"None"',
    '"ES256"',
    '"RS256"',
    '"HS256"',
    '"alice"',
    '"аlice"',
    '"alice\\u200b"',
    '"ec-1"',
    '"rsa-1"',
    "[]",
    "{}",
    '["exp"]',
    '[["mfa"]]',
    '{"__proto__":{"mfa":1}}',
    JSON.stringify(ISSUER),
    JSON.stringify(`${ISSUER}/`),
    JSON.stringify(CLIENT),
    JSON.stringify([CLIENT]),
    JSON.stringify([CLIENT, "web"]),
    JSON.stringify("web"),
  ),
  fc.json({ maxDepth: 2 }),
  fc.double().map((value) => String(value)),
  fc.string({ maxLength: 300, unit: "grapheme" }).map((value) => JSON.stringify(value)),
  fc.nat(3000).map((depth) => "[".repeat(depth) + "]".repeat(depth)),
);
const claimName = fc.constantFrom(
  ...[
    "iss",
    "sub",
    "aud",
    "azp",
    "exp",
    "iat",
    "nbf",
    "auth_time",
    "nonce",
    "acr",
    "amr",
    "email",
    "email_verified",
  ],
  ...["name", "__proto__", "constructor", "toString", "", "ISS", "sub\u0000"],
);
const headerName = fc.constantFrom(
  ...[
    "alg",
    "kid",
    "typ",
    "crit",
    "b64",
    "jwk",
    "jku",
    "x5c",
    "x5u",
    "enc",
    "zip",
    "__proto__",
    "ALG",
    "kid ",
  ],
);

/** A JSON object with members replaced, added, or there a second time, in front or behind. */
const member = (name: fc.Arbitrary<string>) =>
  fc.tuple(name, jsonText, fc.constantFrom("replace", "before", "after"));
function objectText(base: Record<string, unknown>, changes: readonly [string, string, string][]): string {
  const members = Object.entries(base).map(([name, value]) => [name, JSON.stringify(value)] as const);
  const changed = members.map(
    ([name, text]) =>
      [name, changes.find(([n, , how]) => n === name && how === "replace")?.[1] ?? text] as const,
  );
  const front = changes.filter(([, , how]) => how === "before");
  const back = changes.filter(([n, , how]) => how === "after" || (how === "replace" && !(n in base)));
  return `{${[...front, ...changed, ...back].map(([name, text]) => `${JSON.stringify(name)}:${text}`).join(",")}}`;
}

/** Signs what is given, header and payload as they are, as no library would. */
function signAs(how: string, input: string): Buffer {
  const ecdsa = (key: typeof ec.privateKey) =>
    sign("sha256", Buffer.from(input), { key, dsaEncoding: "ieee-p1363" });
  if (how === "ec") return ecdsa(ec.privateKey);
  if (how === "rsa") return sign("sha256", Buffer.from(input), rsa.privateKey);
  if (how === "stranger") return ecdsa(stranger.privateKey);
  const pem = ec.publicKey.export({ type: "spki", format: "pem" });
  return how === "hmac"
    ? createHmac("sha256", pem).update(input).digest()
    : Buffer.alloc(how === "zeros" ? 64 : 0);
}

describe("fuzz: ID tokens", function () {
  this.timeout(timeLimit());
  let good: GoodLogin;
  before(async () => {
    good = await makeLogin();
  });

  const verified = (token: string) => refusalOr(() => verifyIdToken(token, makeContext()));

  it("are not all refused: the one that the cases are made from is verified", async () => {
    assert.ok("value" in (await verified(good.token)));
  });

  it("that were changed are refused with a code, unless all that was signed is as it was", async () => {
    const text = fc.string({ maxLength: 20, unit: "grapheme" });
    const cut = fc.constantFrom("none", "join", "nest", "tail", "four", "lines", "padding", "json");
    await fuzz(fc.tuple(edits, text, cut, fc.boolean()), async ([list, extra, how, bytes]) => {
      const [header = "", payload = "", signature = ""] = good.token.split(".");
      const variants: Record<string, string> = {
        none: mutate(Buffer.from(good.token), list).toString("latin1"),
        join: [header, payload, signature]
          .map((one, index) =>
            index === list.length % 3
              ? mutate(Buffer.from(one, "base64url"), list).toString("base64url")
              : one,
          )
          .join("."),
        nest: `${header}.${encode(good.token)}.${signature}`,
        tail: good.token + extra,
        four: `${good.token}.${encode(extra)}`,
        lines: good.token.replace(".", `.${extra}`),
        padding: `${header}=.${payload}==.${signature}=`,
        json: JSON.stringify({ protected: header, payload, signature, header: { alg: extra } }),
      };
      const token = bytes ? (variants[how] ?? "") : `${extra}${variants[how]}`;
      const result = await verified(token);
      if ("code" in result) return assert.match(result.code, /^token-/);
      const signed = good.token.slice(0, good.token.lastIndexOf("."));
      assert.equal(token.slice(0, token.lastIndexOf(".")), signed);
    });
  });

  it("that are noise are refused with a code", async () => {
    const part = fc.oneof(
      fc.string({ maxLength: 60, unit: "binary" }),
      fc.base64String({ maxLength: 100 }),
      jsonText.map(encode),
      fc.constantFrom(encode(HEADER), encode(CLAIMS), "", "."),
    );
    await fuzz(fc.array(part, { maxLength: 5 }), async (parts) => {
      const result = await verified(parts.join("."));
      assert.ok("code" in result && result.code.startsWith("token-"));
    });
  });

  it("pass only by the IdP's signature and with claims that hold, and admit only their own person by the bound nonce", async () => {
    const headers = fc.array(member(headerName), { maxLength: 2 });
    const claims = fc.array(member(claimName), { maxLength: 3 });
    const signer = fc.oneof(
      { weight: 4, arbitrary: fc.constant("ec") },
      { weight: 2, arbitrary: fc.constantFrom("rsa", "stranger", "hmac", "zeros", "nothing") },
    );
    const nonce = bindingNonce(good.binding);
    let [passed, admitted] = [0, 0];
    const seen = new Set<string>();
    await fuzz(fc.tuple(headers, claims, signer, fc.boolean()), async ([header, payload, how, asRsa]) => {
      const base = asRsa && how === "rsa" ? { ...HEADER, alg: "RS256", kid: "rsa-1" } : HEADER;
      const text = { header: objectText(base, header), payload: objectText({ ...CLAIMS, nonce }, payload) };
      const input = `${encode(text.header)}.${encode(text.payload)}`;
      const token = `${input}.${signAs(how, input).toString("base64url")}`;
      const result = await verified(token);
      if ("code" in result) {
        seen.add(result.code);
        return assert.match(result.code, /^token-/);
      }
      passed++;
      assert.ok(how === "ec" || (how === "rsa" && asRsa), how);
      const said = JSON.parse(text.payload) as Record<string, unknown>;
      const sealed = JSON.parse(text.header) as Record<string, unknown>;
      assert.equal(sealed.alg, how === "ec" ? "ES256" : "RS256");
      assert.ok(!("crit" in sealed) && !("b64" in sealed));
      assert.deepEqual([result.value.issuer, said.iss], [ISSUER, ISSUER]);
      assert.equal(result.value.subject, said.sub);
      assert.ok(result.value.subject.length > 0);
      for (const audience of [said.aud, said.azp ?? CLIENT].flat())
        assert.ok(TRUSTED.clientIds.includes(String(audience)));
      const { expiresAt, issuedAt, authTime } = result.value;
      assert.ok(Number.isFinite(expiresAt) && expiresAt > NOW - CLOCK_SKEW);
      assert.ok(issuedAt <= NOW + CLOCK_SKEW && issuedAt >= NOW - TRUSTED.maxTokenAge - CLOCK_SKEW);
      assert.ok(authTime === null || authTime <= NOW + CLOCK_SKEW);
      assert.equal(result.value.nonce, said.nonce ?? null);
      if (result.value.mfa !== "none") assert.ok(said.acr !== undefined || said.amr !== undefined);
      // And the whole way, in a certificate of the user CA: only with the binding's own nonce, only for the member.
      const certificate = await makeCertificate({ binding: good.binding, tokenText: token });
      if ((await admits(certificate, good.context)) !== "admit") return;
      admitted++;
      assert.deepEqual([said.sub, said.nonce], ["alice", nonce]);
    });
    assert.ok(admitted > RUNS / 100, `only ${admitted} cases were admitted`);
    assert.ok(passed > RUNS / 100, `only ${passed} cases passed`);
    assert.ok(seen.size > 5, `only refused as ${[...seen].join(", ")}`);
  });
});
