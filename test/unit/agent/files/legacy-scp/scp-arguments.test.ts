import assert from "node:assert/strict";
import { parseScpArguments } from "@sallyport/agent/files/legacy-scp/scp-arguments.ts";

describe("the arguments of a far-side scp", () => {
  const parsed = (line: string) => parseScpArguments(line.split(" "));

  it("are what scp -O sends", () => {
    assert.deepEqual(parsed("scp -v -r -p -d -t -- -odd"), {
      direction: "write",
      options: ["-v", "-r", "-p", "-d"],
      recursive: true,
      path: "-odd",
    });
    assert.deepEqual(parsed("scp -pf /srv/a"), {
      direction: "read",
      options: ["-p"],
      recursive: false,
      path: "/srv/a",
    });
  });

  for (const line of [
    "scp -S /bin/sh -t x",
    "scp -S/bin/sh -t x",
    "scp -oProxyCommand=id -t x",
    "scp -t -o x",
    "scp -D /bin/sh -f x",
    "scp -F/tmp/config -f x",
    "scp -3 -t x",
    "scp a b",
    "scp -r a host:b",
    "scp -t -f x",
    "scp -t",
    "scp -t x y",
    "scp -- -t x",
    "scp --help -t x",
  ])
    it(`are refused as ${line}`, () => assert.ok("detail" in parsed(line)));

  it("are refused with control characters in the path", () => {
    assert.ok("detail" in parseScpArguments(["scp", "-t", "a\nb"]));
  });
});
