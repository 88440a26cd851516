import assert from "node:assert/strict";
import { Forwarding, PermitListen, PermitOpen } from "@sallyport/core/policy/grants.ts";
import fc from "fast-check";
import { grantLine } from "../../../../agent/src/logins/grant-line.ts";

const SHIM = "/usr/lib/sallyport/shim";
const line = (forwarding: object | null) =>
  grantLine(SHIM, forwarding === null ? null : Forwarding.parse(forwarding), "sallyport");

describe("the line that sshd gets for a login", () => {
  const start = `command="${SHIM} session",restrict,pty`;
  const rows: [what: string, forwarding: object | null, options: string][] = [
    ["nothing for one that is refused", null, ""],
    ["nothing where nothing is granted", {}, ""],
    [
      "the destinations that are granted, and no port to listen at",
      { local: ["db-1:5432", "[2001:db8::1]:*"] },
      ',port-forwarding,permitopen="db-1:5432",permitopen="[2001:db8::1]:*",permitlisten="nowhere.invalid:1"',
    ],
    [
      "the ports to listen at that are granted, and no destination",
      { remote: ["8080", "localhost:9090"] },
      ',port-forwarding,permitopen="nowhere.invalid:1",permitlisten="8080",permitlisten="localhost:9090"',
    ],
    ["agent and X11 forwarding", { agent: true, x11: true }, ",agent-forwarding,X11-forwarding"],
  ];
  for (const [what, forwarding, options] of rows)
    it(`grants ${what}`, () => assert.equal(line(forwarding), `${start}${options} sallyport\n`));

  it("cannot be given another meaning by a destination", () => {
    for (const schema of [PermitOpen, PermitListen]) {
      fc.assert(
        fc.property(fc.string({ unit: "grapheme", maxLength: 40 }), (text) => {
          if (schema.safeParse(text).success) assert.doesNotMatch(text, /[",\s\\=]/);
        }),
        { seed: 7, numRuns: 5_000 },
      );
      for (const bad of ['a:1",command="/bin/sh', "a:1,pty", "a:1\n", "a b:1", "a:0", "a:65536", "*:1", ":1"])
        assert.equal(schema.safeParse(bad).success, false, bad);
    }
  });
});
