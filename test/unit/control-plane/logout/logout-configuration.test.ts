import assert from "node:assert/strict";
import { Issuer } from "@sallyport/control-plane/issuers/issuer-configuration.ts";

const WRITTEN = { name: "IdP", issuer: "https://idp.test", clientId: "sallyport-cli" };
const accepts = (more: object) => Issuer.safeParse({ ...WRITTEN, ...more }).success;

describe("configuration of what IdPs send about sessions", () => {
  it("takes logout tokens for the command line's client, and nothing else, by default", () => {
    const issuer = Issuer.parse(WRITTEN);
    assert.deepEqual(issuer.backChannelLogout, { clientIds: [] });
    assert.equal(issuer.globalTokenRevocation, undefined);
    assert.equal(issuer.directoryNotices, undefined);
  });

  const rows: [what: string, more: object, isAccepted: boolean][] = [
    ["Global Token Revocation as it is", { globalTokenRevocation: {} }, true],
    [
      "an issuer of its own with its keys",
      { globalTokenRevocation: { issuer: "https://org.test", jwksUri: "https://org.test/keys" } },
      true,
    ],
    ["keys of their own alone", { globalTokenRevocation: { jwksUri: "https://idp.test/more-keys" } }, true],
    // Its keys would be looked for at the wrong IdP.
    ["an issuer of its own without keys", { globalTokenRevocation: { issuer: "https://org.test" } }, false],
    ["keys over plain HTTP", { globalTokenRevocation: { jwksUri: "http://idp.test/keys" } }, false],
    [
      "keys over plain HTTP on this machine",
      { globalTokenRevocation: { jwksUri: "http://127.0.0.1/keys" } },
      true,
    ],
    ["a key that there is not", { globalTokenRevocation: { audiences: ["x"] } }, false],
    ["a secret by a relative path", { directoryNotices: { secretFile: "secret" } }, false],
    ["a secret in the file itself", { directoryNotices: { secret: "x".repeat(30) } }, false],
  ];
  for (const [what, more, isAccepted] of rows)
    it(`${isAccepted ? "takes" : "refuses"} ${what}`, () => assert.equal(accepts(more), isAccepted));
});
