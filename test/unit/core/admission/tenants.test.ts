import assert from "node:assert/strict";
import { verifyIdToken } from "@sallyport/core/admission/id-token.ts";
import { TrustedIssuer } from "@sallyport/core/messages/trust.ts";
import { ISSUER, makeContext, makeToken, TRUSTED, verdict } from "./identity-provider.ts";

const pinned = (more: object) => makeContext({ issuers: [TrustedIssuer.parse({ ...TRUSTED, ...more })] });

describe("an IdP of many organisations", () => {
  const oneTenant = { requiredClaims: { tid: ["tenant-a"] } };
  const domains = { requiredClaims: { hd: ["acme.test", "acme.example"] } };
  const rows: [what: string, more: object, claims: Record<string, unknown>, code: string][] = [
    ["the pinned tenant", oneTenant, { tid: "tenant-a" }, "verified"],
    ["another tenant", oneTenant, { tid: "tenant-b" }, "token-tenant"],
    ["no tenant", oneTenant, {}, "token-tenant"],
    ["several tenants", oneTenant, { tid: ["tenant-a"] }, "token-tenant"],
    ["the tenant in other letters", oneTenant, { tid: "TENANT-A" }, "token-tenant"],
    ["the second of the domains", domains, { hd: "acme.example" }, "verified"],
    ["a domain below", domains, { hd: "evil.acme.test" }, "token-tenant"],
    ["a consumer account, which has no domain", domains, { email: "a@acme.test" }, "token-tenant"],
    [
      "a claim named like a member of every object",
      { requiredClaims: { constructor: ["x"] } },
      {},
      "token-tenant",
    ],
    ["the other spelling of the issuer", { aliases: ["idp.example"] }, { iss: "idp.example" }, "verified"],
    ["a spelling that is not pinned", { aliases: ["idp.example"] }, { iss: "idp.example/" }, "token-issuer"],
    ["no object id, where it names people", { subjectClaim: "oid" }, {}, "token-malformed"],
    ["an empty object id", { subjectClaim: "oid" }, { oid: "" }, "token-malformed"],
  ];
  for (const [what, more, claims, code] of rows) {
    it(`${what}: ${code}`, async () => assert.equal(await verdict(makeToken(claims), pinned(more)), code));
  }

  it("names people by the pinned claim only, and itself by one spelling", async () => {
    const token = await makeToken({ iss: "idp.example", oid: "object-1", sub: "pairwise" });
    const context = pinned({ aliases: ["idp.example"], subjectClaim: "oid" });
    const { issuer, subject } = await verifyIdToken(token, context);
    assert.deepEqual([issuer, subject], [ISSUER, "object-1"]);
    const bySub = await verifyIdToken(token, pinned({ aliases: ["idp.example"] }));
    assert.equal(bySub.subject, "pairwise");
  });

  it("counts authentication contexts and what is assumed of everybody, and nothing that is not named", async () => {
    const level = async (mfa: object, claims: object) =>
      (
        await verifyIdToken(
          await makeToken({ amr: undefined, ...claims }),
          pinned({ mfa: { acr: {}, amr: {}, ...mfa } }),
        )
      ).mfa;
    assert.equal(await level({ acrs: { c1: "mfa" } }, { acrs: ["c1"] }), "mfa");
    assert.equal(await level({ acrs: { c1: "mfa" } }, { acrs: "c1" }), "mfa");
    assert.equal(await level({ acrs: { c1: "mfa" } }, { acrs: ["c2"], acr: "c1", amr: ["c1"] }), "none");
    assert.equal(await level({ assume: "mfa" }, {}), "mfa");
    assert.equal(
      await level({ assume: "mfa", amr: { hwk: "phishing-resistant" } }, { amr: ["hwk"] }),
      "phishing-resistant",
    );
    assert.equal(await level({}, { acrs: ["c1"] }), "none");
  });
});
