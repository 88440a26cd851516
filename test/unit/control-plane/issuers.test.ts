import assert from "node:assert/strict";
import { Issuer } from "@sallyport/control-plane/issuers/issuer-configuration.ts";
import { entraTenant } from "@sallyport/control-plane/issuers/multi-tenant.ts";
import { trustedIssuer } from "@sallyport/control-plane/issuers/trusted-issuer.ts";
import { vouchedEmail } from "@sallyport/control-plane/issuers/vouched-email.ts";
import { TrustedIssuer } from "@sallyport/core/messages/trust.ts";

const TENANT = "6dc2a5a1-0e57-4d43-9bd5-1f0c8a1f0f7e";
const ENTRA = `https://login.microsoftonline.com/${TENANT}/v2.0`;
const plain = { name: "IdP", issuer: "https://idp.test", clientId: "cli" };
const issuers = {
  okta: "https://acme.okta.com",
  entra: ENTRA,
  google: "https://accounts.google.com",
  keycloak: "https://id.acme.test/realms/acme",
  auth0: "https://acme.eu.auth0.com/",
};
const written = (preset: keyof typeof issuers, more: object = {}) => ({
  ...{ ...plain, preset, issuer: issuers[preset] },
  ...(preset === "google" ? { requiredClaims: { hd: ["acme.test"] } } : {}),
  ...more,
});

describe("an issuer's preset", () => {
  it("of none is generic, and pins what was pinned before there were presets", () => {
    assert.deepEqual(trustedIssuer(Issuer.parse({ ...plain, renewal: false })), {
      issuer: "https://idp.test",
      clientIds: ["cli"],
      algorithms: ["RS256"],
      maxTokenAge: 86_400,
      mfa: { acr: {}, amr: {} },
    });
  });

  it("fills in what is not given, and what is given overrides it", () => {
    const okta = Issuer.parse(written("okta"));
    assert.equal(okta.acrValues, "urn:okta:loa:2fa:any");
    assert.equal(okta.mfa.acr.phr, "phishing-resistant");
    const other = Issuer.parse(
      written("okta", { acrValues: null, mfa: { amr: { mca: "mfa" } }, maxAge: null, scope: "openid" }),
    );
    assert.deepEqual([other.acrValues, other.maxAge, other.scope], [null, null, "openid"]);
    assert.deepEqual(other.mfa.amr, { mca: "mfa" });
    assert.deepEqual(other.mfa.acr, okta.mfa.acr);
  });

  for (const preset of Object.keys(issuers) as (keyof typeof issuers)[]) {
    it(`${preset}: hosts read what it pins`, () => {
      const trusted = trustedIssuer(Issuer.parse(written(preset)));
      assert.deepEqual(TrustedIssuer.parse(JSON.parse(JSON.stringify(trusted))), trusted);
    });
  }

  it("entra pins tenant and object id, and asks for the authentication contexts that count", () => {
    const entra = Issuer.parse(
      written("entra", { mfa: { acrs: { c1: "mfa" } }, requiredClaims: { tid: ["x"] } }),
    );
    const trusted = trustedIssuer(entra);
    assert.deepEqual(
      trusted.requiredClaims,
      { tid: [TENANT] },
      "the tenant of the issuer cannot be replaced",
    );
    assert.equal(trusted.subjectClaim, "oid");
    assert.deepEqual(JSON.parse(entra.hints.claims ?? ""), {
      id_token: { acrs: { essential: true, values: ["c1"] } },
    });
  });

  it("google pins both spellings of its issuer, and the domains", () => {
    const google = trustedIssuer(Issuer.parse(written("google", { mfa: { assume: "mfa" } })));
    assert.deepEqual(google.aliases, ["accounts.google.com"]);
    assert.deepEqual(google.requiredClaims, { hd: ["acme.test"] });
    assert.equal(google.mfa.assume, "mfa");
  });

  const traps: [what: string, issuer: object, expected: RegExp][] = [
    [
      "Entra's common",
      { preset: "entra", issuer: "https://login.microsoftonline.com/common/v2.0" },
      /many tenants/,
    ],
    [
      "Entra's organizations, as generic",
      { issuer: "https://login.microsoftonline.com/organizations/v2.0" },
      /many tenants/,
    ],
    [
      "Entra's tenant of personal accounts",
      { issuer: "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0" },
      /many tenants/,
    ],
    [
      "Entra's template",
      { preset: "entra", issuer: "https://login.microsoftonline.com/{tenantid}/v2.0" },
      /many tenants/,
    ],
    [
      "a tenant by its domain",
      { preset: "entra", issuer: "https://login.microsoftonline.com/acme.test/v2.0" },
      /many tenants/,
    ],
    [
      "Entra v1 at the address of v2",
      { preset: "entra", issuer: `https://login.microsoftonline.com/${TENANT}/` },
      /many tenants/,
    ],
    ["another IdP as entra", { preset: "entra" }, /names one tenant by its id/],
    [
      "Google with a slash",
      { ...written("google"), issuer: "https://accounts.google.com/" },
      /without a slash/,
    ],
    [
      "Google for everybody",
      { ...written("google"), requiredClaims: undefined },
      /Google signs in everybody/,
    ],
    ["Okta's admin console", written("okta", { issuer: "https://acme-admin.okta.com" }), /leave out -admin/],
    ["Okta with a slash", written("okta", { issuer: "https://acme.okta.com/" }), /do not end with a slash/],
    [
      "Okta's endpoint",
      written("okta", { issuer: "https://acme.okta.com/oauth2/default/v1" }),
      /issuer of Okta/,
    ],
    [
      "Auth0 without its slash",
      written("auth0", { issuer: "https://acme.eu.auth0.com" }),
      /end with a slash/,
    ],
    ["Keycloak without a realm", written("keycloak", { issuer: "https://id.acme.test" }), /realms/],
    ["a claim that nobody verifies", { emailClaim: "upn" }, /needs trustEmail/],
    [
      "a parameter that the protocol needs",
      { hints: { request_uri: "https://evil.test" } },
      /Invalid|Unrecognized/,
    ],
    ["claims that are no JSON", { hints: { claims: "{" } }, /JSON object/],
    ["a domain that is an address", { domains: ["a@b.test"] }, /domain/],
  ];
  for (const [what, issuer, expected] of traps) {
    it(`refuses ${what}`, () => {
      const result = Issuer.safeParse({ ...plain, ...issuer });
      assert.equal(result.success, false);
      assert.match(result.error.issues.map(({ message }) => message).join("; "), expected);
    });
  }

  it("knows Entra's issuers of both versions, and of national clouds", () => {
    for (const good of [
      ENTRA,
      `https://sts.windows.net/${TENANT}/`,
      `https://login.microsoftonline.us/${TENANT}/v2.0`,
      `https://${TENANT}.ciamlogin.com/${TENANT}/v2.0`,
    ])
      assert.equal(entraTenant(good), TENANT, good);
    for (const bad of [
      `https://login.microsoftonline.com.evil.test/${TENANT}/v2.0`,
      `https://sts.windows.net/${TENANT}/v2.0`,
      `https://login.microsoftonline.com/${TENANT}/v2.0/`,
      `https://login.microsoftonline.com/x/${TENANT}/v2.0`,
    ])
      assert.equal(entraTenant(bad), null, bad);
  });
});

describe("the e-mail that an IdP vouches for", () => {
  const generic = Issuer.parse(plain);
  const entra = Issuer.parse(written("entra"));
  const trusting = Issuer.parse(written("entra", { trustEmail: true }));
  const byName = Issuer.parse(written("entra", { trustEmail: true, emailClaim: "preferred_username" }));
  const email = "dana@vendor.test";
  const rows: [what: string, issuer: typeof generic, claims: Record<string, unknown>, verified: boolean][] = [
    ["verified", generic, { email, email_verified: true }, true],
    ["verified, as text", generic, { email, email_verified: "true" }, true],
    ["without a word", generic, { email }, false],
    ["not verified", generic, { email, email_verified: false }, false],
    ["with a number for a yes", generic, { email, email_verified: 1 }, false],
    ["Entra's own claim elsewhere", generic, { email, xms_edov: true }, false],
    ["Entra without its claim (nOAuth)", entra, { email }, false],
    ["Entra with a claim that it does not send", entra, { email, email_verified: true }, false],
    ["Entra, of another tenant's domain", entra, { email, xms_edov: false }, false],
    ["Entra, as 0", entra, { email, xms_edov: "0" }, false],
    ["Entra, domain owned", entra, { email, xms_edov: true }, true],
    ["Entra, domain owned, as 1", entra, { email, xms_edov: 1 }, true],
    ["Entra, domain owned, as text", entra, { email, xms_edov: "1" }, true],
    ["Entra, trusted by the configuration", trusting, { email }, true],
    ["a claim of one's own choice", byName, { preferred_username: email, email: "x@x.test" }, true],
  ];
  for (const [what, issuer, claims, verified] of rows) {
    it(`${what}: ${verified}`, () =>
      assert.deepEqual(vouchedEmail(issuer, claims), { email, emailVerified: verified }));
  }

  it("is none where there is none, however much it is trusted", () => {
    for (const claims of [{}, { email: "" }, { email: ["a@b.test"] }, { email: `${"x".repeat(320)}@a.test` }])
      assert.deepEqual(vouchedEmail(trusting, claims), { email: null, emailVerified: false });
  });
});
