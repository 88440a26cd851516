import assert from "node:assert/strict";
import { ClientAddresses, limitKey } from "@sallyport/control-plane/http/client-address.ts";

describe("the client's address", () => {
  const addresses = new ClientAddresses(["10.0.0.0/8", "2001:db8:1::/48"]);
  const CASES: [what: string, connection: string, header: string | undefined, expected: string][] = [
    ["is the connection's without a proxy", "192.0.2.1", undefined, "192.0.2.1"],
    ["is the connection's whatever a stranger claims", "192.0.2.1", "198.51.100.1", "192.0.2.1"],
    ["is what a trusted proxy heard", "10.0.0.1", "198.51.100.1", "198.51.100.1"],
    ["is not what the client wrote before it", "10.0.0.1", "203.0.113.9, 198.51.100.1", "198.51.100.1"],
    ["goes through several proxies", "10.0.0.1", "203.0.113.9, 198.51.100.1, 10.0.0.2", "198.51.100.1"],
    ["stops at what is no address", "10.0.0.1", "198.51.100.1, unknown", "10.0.0.1"],
    ["is the proxy's own when it says nothing", "10.0.0.1", undefined, "10.0.0.1"],
    ["is the last proxy's when there are only proxies", "10.0.0.1", "10.0.0.3,10.0.0.2", "10.0.0.3"],
    ["knows IPv4 that an IPv6 socket heard", "::ffff:10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"],
    ["knows IPv6", "2001:db8:1::5", "2001:db8:2::7", "2001:db8:2::7"],
  ];
  for (const [what, connection, header, expected] of CASES)
    it(what, () => assert.equal(addresses.of(connection, header), expected));

  it("counts as one of its /64", () => {
    assert.equal(limitKey("2001:db8:2:3:4:5:6:7"), limitKey("2001:db8:2:3::1"));
    assert.notEqual(limitKey("2001:db8:2:3::1"), limitKey("2001:db8:2:4::1"));
    assert.equal(limitKey("fe80::1%eth0"), limitKey("fe80::2%eth0"));
    assert.equal(limitKey("::1"), "0:0:0:0::/64");
    assert.equal(limitKey("192.0.2.1"), "192.0.2.1");
  });
});
