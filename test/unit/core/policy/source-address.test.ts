import assert from "node:assert/strict";
import { Network } from "@sallyport/core/policy/engagement.ts";
import fc from "fast-check";
import { codeOf, decide, makeEngagement, makeScenario } from "./scenario.ts";

function codeFrom(sourceAddress: string | null, ...sources: string[]): string {
  const scenario = makeScenario(makeEngagement({ sources }));
  scenario.request.sourceAddress = sourceAddress;
  return codeOf(decide(scenario));
}

describe("source networks", () => {
  const rows: [address: string | null, networks: string[], fits: boolean][] = [
    ["192.0.2.7", [], true],
    [null, [], true],
    [null, ["0.0.0.0/0", "::/0"], false],
    ["", ["0.0.0.0/0", "::/0"], false],
    ["unknown", ["0.0.0.0/0", "::/0"], false],
    ["192.0.2.7\n", ["0.0.0.0/0"], false],
    ["192.0.2.7", ["192.0.2.7"], true],
    ["192.0.2.70", ["192.0.2.7"], false],
    ["192.0.2.7", ["198.51.100.0/24", "192.0.2.0/24"], true],
    // the edges of a network
    ["192.0.1.255", ["192.0.2.0/24"], false],
    ["192.0.2.0", ["192.0.2.0/24"], true],
    ["192.0.2.255", ["192.0.2.0/24"], true],
    ["192.0.3.0", ["192.0.2.0/24"], false],
    ["192.0.2.3", ["192.0.2.4/31"], false],
    ["192.0.2.5", ["192.0.2.4/31"], true],
    ["192.0.2.6", ["192.0.2.4/31"], false],
    ["192.0.2.5", ["192.0.2.4/32"], false],
    ["255.255.255.255", ["0.0.0.0/0"], true],
    ["192.0.2.1", ["192.0.2.77/24"], true],
    ["2001:db8::", ["2001:db8::/32"], true],
    ["2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", ["2001:db8::/32"], true],
    ["2001:db9::", ["2001:db8::/32"], false],
    ["2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", ["2001:db8::/32"], false],
    ["2001:db8:0:0:0:0:0:1", ["2001:db8::1"], true],
    ["2001:DB8::1", ["2001:db8::1"], true],
    ["2001:db8::2", ["2001:db8::1/128"], false],
    // IPv4 as a dual-stack sshd may see it
    ["::ffff:192.0.2.7", ["192.0.2.0/24"], true],
    ["::FFFF:192.0.2.7", ["192.0.2.0/24"], true],
    ["::ffff:c000:207", ["192.0.2.0/24"], true],
    ["0:0:0:0:0:ffff:c000:207", ["192.0.2.0/24"], true],
    ["::ffff:192.0.3.7", ["192.0.2.0/24"], false],
    ["192.0.2.7", ["::ffff:192.0.2.0/120"], true],
    ["192.0.3.7", ["::ffff:192.0.2.0/120"], false],
    // the families do not stand in for one another
    ["192.0.2.7", ["::/0"], false],
    ["::ffff:192.0.2.7", ["::/0"], false],
    ["0:0:0:0:0:ffff:c000:207", ["::/0"], false],
    ["2001:db8::1", ["0.0.0.0/0"], false],
    ["::192.0.2.7", ["192.0.2.0/24"], false],
    ["64:ff9b::c000:207", ["192.0.2.0/24"], false],
  ];
  for (const [address, networks, fits] of rows) {
    it(`${JSON.stringify(address)} ${fits ? "is in" : "is not in"} [${networks.join(", ")}]`, () => {
      assert.equal(codeFrom(address, ...networks), fits ? "admit" : "source-address");
    });
  }

  it("never throw: whatever the policy accepts can be looked up", () => {
    const prefix = fc.oneof(
      fc.constant(""),
      fc.nat(140).map((bits) => `/${bits}`),
    );
    const network = fc.tuple(fc.oneof(fc.ipV4(), fc.ipV6()), prefix).map((parts) => parts.join(""));
    const address = fc.oneof(fc.ipV4(), fc.ipV6(), fc.string());
    fc.assert(
      fc.property(fc.array(network, { minLength: 1, maxLength: 3 }), address, (networks, from) => {
        fc.pre(networks.every((one) => Network.safeParse(one).success));
        assert.match(codeFrom(from, ...networks), /^(admit|source-address)$/);
      }),
    );
  });
});
