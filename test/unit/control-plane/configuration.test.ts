import assert from "node:assert/strict";
import { Configuration } from "@sallyport/control-plane/config/configuration.ts";
import { isLoopback, isSafeUrl } from "@sallyport/control-plane/config/loopback.ts";
import { isSallyportError } from "@sallyport/core/errors.ts";
import { readYaml } from "@sallyport/core/yaml/read-yaml.ts";

const GOOD = `version: 1
listen: { address: 127.0.0.1, port: 7300 }
url: http://127.0.0.1:7300/
dataDirectory: /var/lib/sallyport
issuers:
  - name: Acme
    issuer: https://idp.acme.test
    clientId: sallyport-cli
staff:
  - { email: Sec@acme.test, role: admin }
`;

function problems(text: string): string[] {
  try {
    readYaml(text, "cp.yaml", Configuration);
  } catch (error) {
    assert.ok(isSallyportError(error, "config-invalid"));
    return error.message.split("\n");
  }
  return [];
}

describe("configuration file", () => {
  it("fills in defaults", () => {
    const { value } = readYaml(GOOD, "cp.yaml", Configuration);
    assert.equal(value.url, "http://127.0.0.1:7300");
    assert.equal(value.lease, 600);
    assert.equal(value.certificateLifetime, 3600);
    assert.deepEqual(value.issuers[0]?.algorithms, ["RS256"]);
    assert.equal(value.staff[0]?.email, "sec@acme.test");
  });

  const mistakes: [name: string, text: string, expected: RegExp][] = [
    [
      "an unknown key",
      GOOD.replace("clientId: ", "clientID: x\n    clientId: "),
      /^cp\.yaml:8:5: unknown key "issuers\.0\.clientID"; did you mean "clientId"\?$/,
    ],
    [
      "an unknown key at the top",
      `${GOOD}leese: 5\n`,
      /^cp\.yaml:11:1: unknown key "leese"; did you mean "lease"\?$/,
    ],
    ["a key twice", `${GOOD}version: 1\n`, /^cp\.yaml:11:1: the key "version" is there twice/],
    ["broken YAML", GOOD.replace("{ address: 127.0.0.1,", "{ address: ["), /^cp\.yaml:\d+:\d+: /],
    ["a missing key", GOOD.replace(/dataDirectory.*\n/, ""), /^cp\.yaml:1:1: "dataDirectory" is missing$/],
    ["another version", GOOD.replace("version: 1", "version: 2"), /^cp\.yaml:1:1: "version" is wrong/],
    ["a wrong role", GOOD.replace("role: admin", "role: root"), /^cp\.yaml:10:29: "staff\.0\.role" is wrong/],
    [
      "an address that others reach",
      GOOD.replace("127.0.0.1,", "0.0.0.0,"),
      /^cp\.yaml:2:11: "listen\.address" .*loopback/,
    ],
    [
      "plain HTTP that leaves the machine",
      GOOD.replace("http://127.0.0.1:7300/", "http://sallyport.acme.test"),
      /^cp\.yaml:3:1: "url" .*plain HTTP/,
    ],
    ["an IdP by plain HTTP", GOOD.replace("https://idp", "http://idp"), /^cp\.yaml:7:5: .*plain HTTP/],
    [
      "a symmetric algorithm",
      GOOD.replace("clientId: ", "algorithms: [HS256]\n    clientId: "),
      /^cp\.yaml:8:18: /,
    ],
    [
      "an issuer twice",
      GOOD.replace("staff:", "  - { name: B, issuer: https://idp.acme.test, clientId: x }\nstaff:"),
      /^cp\.yaml:9:16: .*listed twice/,
    ],
    [
      "staff of an IdP that is not there",
      GOOD.replace("role: admin", "role: admin, issuer: https://x.test"),
      /^cp\.yaml:10:42: .*no such issuer/,
    ],
  ];
  for (const [name, text, expected] of mistakes) {
    it(`points at ${name}`, () => {
      const [first] = problems(text);
      assert.match(first ?? "", expected);
    });
  }

  it("lists all mistakes at once", () => {
    assert.equal(problems(`${GOOD.replace("role: admin", "role: root")}one: 1\ntwo: 2\n`).length, 3);
  });

  it("knows what never leaves the machine", () => {
    for (const host of ["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"])
      assert.ok(isLoopback(host), host);
    for (const host of ["0.0.0.0", "::", "10.0.0.1", "localhost.evil.test", "127.0.0.1.evil.test"])
      assert.ok(!isLoopback(host), host);
    assert.ok(
      isSafeUrl("https://anything.test") && isSafeUrl("http://[::1]:1") && !isSafeUrl("http://a.test"),
    );
  });
});
