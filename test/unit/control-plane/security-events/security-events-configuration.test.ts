import assert from "node:assert/strict";
import { Configuration } from "@sallyport/control-plane/config/configuration.ts";
import { SecurityEventsConfiguration } from "@sallyport/control-plane/security-events/security-events-configuration.ts";
import { transmittersOf } from "@sallyport/control-plane/security-events/transmitter.ts";

const issuer = (name: string, securityEvents?: object) => ({
  ...{ name, issuer: `https://${name}.test`, clientId: "cli" },
  ...(securityEvents === undefined ? {} : { securityEvents }),
});
const parse = (...issuers: object[]) =>
  Configuration.parse({ version: 1, url: "https://here.test", dataDirectory: "/d", issuers });

describe("the configuration of security events", () => {
  it("is by default that of pushes by the IdP itself, to our URL", () => {
    const { issuers, url } = parse(issuer("a", {}), issuer("b"));
    const [only, ...others] = transmittersOf(issuers, url);
    assert.deepEqual(others, []);
    assert.deepEqual(
      [only?.iss, only?.issuer, only?.audiences, only?.algorithms, only?.push, only?.poll],
      [
        "https://a.test",
        "https://a.test",
        ["https://here.test"],
        ["RS256", "ES256"],
        { tokenFile: null },
        undefined,
      ],
    );
  });

  it("takes no pushes where tokens are polled, unless it says so", () => {
    const poll = { url: "https://a.test/poll" };
    const push = (securityEvents: object) =>
      transmittersOf(parse(issuer("a", securityEvents)).issuers, "https://here.test")[0]?.push;
    assert.equal(push({ poll }), undefined);
    assert.deepEqual(push({ poll, push: {} }), { tokenFile: null });
  });

  it("has one IdP for each issuer of tokens", () => {
    assert.throws(() => parse(issuer("a", {}), issuer("b", { issuer: "https://a.test" })), /another IdP's/);
  });

  const WRONG: [what: string, written: object][] = [
    ["plain HTTP", { issuer: "http://idp.test" }],
    ["plain HTTP for keys", { jwksUri: "http://idp.test/jwks" }],
    ["plain HTTP for polls", { poll: { url: "http://idp.test/poll" } }],
    ["no signature", { algorithms: ["none"] }],
    ["a shared secret", { algorithms: ["HS256"] }],
    ["nowhere to poll", { poll: {} }],
    [
      "nowhere to poll, with a stream that is not managed",
      { poll: {}, stream: { manage: false, tokenFile: "/t" } },
    ],
    ["a managed stream both ways", { poll: {}, push: {}, stream: { tokenFile: "/t" } }],
    ["a stream without a token", { stream: {} }],
    ["a relative file", { push: { tokenFile: "token" } }],
    ["an unknown key", { audiences: ["x"] }],
  ];
  for (const [what, written] of WRONG) {
    it(`refuses ${what}`, () => assert.throws(() => SecurityEventsConfiguration.parse(written)));
  }
});
