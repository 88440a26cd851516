import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { failureOf } from "@sallyport/client/api/failure.ts";
import { parseServerUrl } from "@sallyport/client/api/server-url.ts";
import { exitCodeFor } from "@sallyport/client/exit-codes.ts";
import { json } from "@sallyport/client/output/json.ts";
import { fromNow, span } from "@sallyport/client/output/time.ts";
import { hostKeyFingerprint, parseHostKey } from "@sallyport/client/recordings/host-key.ts";
import { explanationOf } from "@sallyport/client/refusals/explanations.ts";
import { chooseLifting, chooseTarget, detectTarget } from "@sallyport/client/revocation/target.ts";
import { chooseIssuer } from "@sallyport/client/sign-in/choose-issuer.ts";
import { assertClock } from "@sallyport/client/sign-in/clock-skew.ts";
import { browserCommand } from "@sallyport/client/sign-in/open-browser.ts";
import { hostArgument } from "@sallyport/client/ssh/host-argument.ts";
import { type ErrorCode, SallyportError } from "@sallyport/core/errors.ts";
import { formatPublicKeyLine, publicKeyFromKeyObject } from "@sallyport/core/ssh/public-key.ts";

describe("what a bare identifier revokes", () => {
  const forms: [string, string][] = [
    ["ses_01jd3m0000000000000000abcd", "session"],
    ["mem_01jd3m0000000000000000abcd", "member"],
    ["alice@vendor.example", "member"],
    ["eng_01jd3m0000000000000000abcd", "engagement"],
    ["acme-db", "engagement"],
    ["1234567890123456789", "certificate"],
    ["SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU", "key"],
  ];
  for (const [target, level] of forms) {
    it(`${target} is a ${level}`, () => assert.deepEqual(detectTarget(target), { level, target }));
  }

  for (const target of [
    "",
    "ses_short",
    "SHA256:short",
    "hst_01jd3m0000000000000000abcd",
    "Alice",
    "a b",
    "-x",
  ]) {
    it(`${JSON.stringify(target)} is nothing`, () =>
      assert.throws(() => detectTarget(target), { code: "usage" }));
  }

  it("is one thing", () => {
    assert.deepEqual(chooseTarget(undefined, { engagement: "123" }), { level: "engagement", target: "123" });
    assert.throws(() => chooseTarget(undefined, {}), { code: "usage" });
    assert.throws(() => chooseTarget("acme-db", { member: "alice@x.test" }), { code: "usage" });
    for (const level of ["identity", "vendor", "issuer"] as const) {
      assert.deepEqual(chooseTarget(undefined, { [level]: "x" }), { level, target: "x" });
      assert.throws(() => chooseTarget("acme-db", { [level]: "x" }), { code: "usage" });
    }
  });

  it("is given back by the revocation's id as well, and by nothing beside that", () => {
    assert.deepEqual(chooseLifting("rev_1", {}), { id: "rev_1" });
    assert.deepEqual(chooseLifting("alice@x.test", {}), { level: "member", target: "alice@x.test" });
    assert.throws(() => chooseLifting("rev_1", { vendor: "acme" }), { code: "usage" });
    assert.throws(() => chooseLifting(undefined, {}), { code: "usage" });
  });
});

describe("the host among ssh's arguments", () => {
  const lines: [string[], string | undefined][] = [
    [["web-1"], "web-1"],
    [["web-1", "ls", "-l"], "web-1"],
    [["deploy@web-1"], "web-1"],
    [["-v", "web-1"], "web-1"],
    [["-p", "22", "web-1"], "web-1"],
    [["-p22", "web-1"], "web-1"],
    [["-vp", "22", "web-1"], "web-1"],
    [["-tt", "-o", "LogLevel=ERROR", "-L", "8080:localhost:80", "WEB-1", "top"], "web-1"],
    [["--", "web-1"], "web-1"],
    [["ssh://deploy@web-1:22"], "web-1"],
    [["-V"], undefined],
    [[], undefined],
    [["-p"], undefined],
  ];
  for (const [args, host] of lines) {
    it(`ssh ${args.join(" ")}: ${host ?? "none"}`, () => assert.equal(hostArgument(args), host));
  }
});

describe("exit codes", () => {
  const codes: [ErrorCode, number][] = [
    ["usage", 2],
    ["not-signed-in", 3],
    ["unauthenticated", 3],
    ["server-unreachable", 4],
    ["issuer-unreachable", 4],
    ["sign-in-failed", 5],
    ["sign-in-abandoned", 5],
    ["clock-skew", 5],
    ["token-invalid", 5],
    ["forbidden", 6],
    ["not-invited", 6],
    ["recording-broken-chain", 7],
    ["recording-bad-signature", 7],
    ["recording-incomplete", 7],
    ["recording-malformed", 7],
    ["not-found", 1],
    ["internal", 1],
  ];
  for (const [code, status] of codes) {
    it(`${code} is ${status}`, () => assert.equal(exitCodeFor(new SallyportError(code, "x")), status));
  }
  it("anything else is 1", () => assert.equal(exitCodeFor(new Error("x")), 1));
});

describe("what the server answers", () => {
  it("is printed as text, and known codes keep their meaning", () => {
    const error = failureOf(
      403,
      JSON.stringify({ error: { code: "forbidden", message: "No.\u001b]0;x\u0007" } }),
      "https://s",
    );
    assert.equal(error.code, "forbidden");
    assert.equal(error.message, "No.\\u{1b}]0;x\\u{7}");
  });
  it("has a code by its status where its own is unknown, or there is none", () => {
    assert.equal(
      failureOf(403, JSON.stringify({ error: { code: "new-thing", message: "x" } }), "https://s").code,
      "forbidden",
    );
    assert.equal(failureOf(401, "<html>", "https://s").code, "unauthenticated");
    assert.match(failureOf(502, "<html>", "https://s").message, /https:\/\/s answered with HTTP status 502/);
  });
});

describe("the server's address", () => {
  it("is an origin, https unless it is this machine", () => {
    assert.equal(parseServerUrl("https://sp.example.com/"), "https://sp.example.com");
    assert.equal(parseServerUrl("sp.example.com"), "https://sp.example.com");
    assert.equal(parseServerUrl("http://127.0.0.1:7300"), "http://127.0.0.1:7300");
    assert.equal(parseServerUrl("http://localhost:7300/"), "http://localhost:7300");
  });
  for (const text of [
    "http://sp.example.com",
    "ftp://x",
    "https://a:b@x",
    "https://x/path",
    "https://x/?q",
    "",
    "::",
  ]) {
    it(`is not ${JSON.stringify(text)}`, () => assert.throws(() => parseServerUrl(text), { code: "usage" }));
  }
});

describe("the clock", () => {
  it("may be a minute off", () => {
    assertClock(1000, 1060);
    assertClock(1060, 1000);
  });
  it("is named with its difference otherwise", () => {
    assert.throws(() => assertClock(1000, 1090), {
      code: "clock-skew",
      message: /is 90 s ahead of the control plane's/,
    });
    assert.throws(() => assertClock(90_000, 1000), { message: /is 25 h behind the control plane's/ });
  });
});

describe("the identity provider", () => {
  const offer = (issuer: string, name: string) => ({
    issuer,
    name,
    clientId: "c",
    scope: "openid",
    acrValues: null,
    ...{
      clientSecret: null,
      redirectPorts: [],
      hints: {},
      maxAge: 43_200,
      domains: [`${name.toLowerCase()}.example`],
    },
  });
  const two = [offer("https://a.example", "A"), offer("https://b.example", "B")];
  it("is the one asked for, by address or name, or the only one", () => {
    assert.equal(chooseIssuer(two, { issuer: "https://b.example" }).name, "B");
    assert.equal(chooseIssuer(two, { issuer: "A" }).name, "A");
    assert.equal(chooseIssuer(two.slice(0, 1), {}).name, "A");
  });
  it("must be named where there are several", () => {
    assert.throws(() => chooseIssuer(two, {}), {
      code: "usage",
      message: /https:\/\/a\.example \(A\), https:\/\/b\.example \(B\)/,
    });
  });
  it("is that of the e-mail's domain", () => {
    assert.equal(chooseIssuer(two, { email: "alice@B.example" }).name, "B");
    assert.equal(chooseIssuer(two, { email: "alice@b.example", issuer: "A" }).name, "A");
    assert.equal(chooseIssuer(two.slice(0, 1), { email: "alice@else.example" }).name, "A");
    assert.throws(() => chooseIssuer(two, { email: "alice@else.example" }), {
      code: "issuer-unknown",
      message: /people of else\.example; name one with --issuer: https:\/\/a\.example \(A\)/,
    });
    assert.throws(
      () =>
        chooseIssuer([...two, { ...offer("https://c.example", "C"), domains: ["b.example"] }], {
          email: "x@b.example",
        }),
      {
        code: "usage",
      },
    );
  });
  it("must be known, and reached by https", () => {
    assert.throws(() => chooseIssuer(two, { issuer: "C" }), { code: "issuer-unknown" });
    assert.throws(() => chooseIssuer([], {}), { code: "issuer-unknown" });
    assert.throws(() => chooseIssuer([offer("http://a.example", "A")], {}), {
      code: "issuer-unknown",
    });
  });
});

describe("the browser", () => {
  const command = (BROWSER: string | undefined, platform = "linux") =>
    browserCommand({ env: { BROWSER }, platform }, "http://u/?a=1&b=$(x)");
  it("is $BROWSER, with the address as one argument", () => {
    assert.deepEqual(command("firefox"), ["firefox", "http://u/?a=1&b=$(x)"]);
    assert.deepEqual(command("firefox -P work %s:lynx"), ["firefox", "-P", "work", "http://u/?a=1&b=$(x)"]);
    assert.deepEqual(command("lynx --now"), ["lynx", "--now", "http://u/?a=1&b=$(x)"]);
  });
  it("is the system's own otherwise", () => {
    assert.deepEqual(command(undefined)[0], "xdg-open");
    assert.deepEqual(command("", "darwin")[0], "open");
  });
});

describe("a host's key", () => {
  it("is read in every form that people have it in", () => {
    const { publicKey } = generateKeyPairSync("ed25519");
    const jwk = publicKey.export({ format: "jwk" });
    const line = formatPublicKeyLine(publicKeyFromKeyObject(publicKey), "host");
    for (const form of [
      jwk.x ?? "",
      JSON.stringify(jwk),
      line,
      String(publicKey.export({ format: "pem", type: "spki" })),
    ]) {
      assert.ok(parseHostKey(form).equals(publicKey), form);
    }
    assert.match(hostKeyFingerprint(publicKey), /^SHA256:[A-Za-z0-9+/]{43}$/);
  });
  it("is nothing else", () => {
    for (const text of ["", "x", "{}", "ssh-ed25519 AAAA"])
      assert.throws(() => parseHostKey(text), { code: "usage" });
  });
});

describe("texts", () => {
  it("says spans of time", () => {
    assert.deepEqual([0, 119, 120, 3599, 7200, 172_800].map(span), [
      "0 s",
      "119 s",
      "2 min",
      "59 min",
      "2 h",
      "2 days",
    ]);
    assert.equal(fromNow(1000, 400), "in 10 min");
    assert.equal(fromNow(400, 1000), "10 min ago");
  });
  it("escapes in JSON what a terminal may act on, and means the same", () => {
    const value = { name: "a\u001b[2J\u009b6n\u202eb\u2066" };
    const text = json(value);
    assert.match(text, /^[\n -~]*$/);
    assert.deepEqual(JSON.parse(text), value);
  });
  it("explains refusals, and no words that objects have anyway", () => {
    assert.match(explanationOf("engagement-ended")?.what ?? "", /has ended/);
    assert.equal(explanationOf("constructor"), undefined);
  });
});
