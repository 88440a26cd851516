import assert from "node:assert/strict";
import {
  AccountName,
  DisplayText,
  EpochSeconds,
  HostName,
  Id,
  makeId,
  SessionId,
  ShortName,
} from "@sallyport/core/names.ts";
import type { z } from "zod";

/** What would do harm on a line of sshd's, in a path, in a shell or on a terminal. */
const HOSTILE = [
  "",
  " ",
  "-rf",
  "-oProxyCommand=id",
  "a b",
  "a\n",
  "a\nb",
  "a\r",
  "a\0b",
  "a\tb",
  "\u001b[31m",
  "a;id",
  "$(id)",
  "`id`",
  "a'b",
  'a"b',
  "a,b",
  "a*",
  "%h",
  "../x",
  "a/b",
  "a\\b",
  "ä",
  "а", // Cyrillic
  "ａ", // full width
  "a\u200b",
  "a\u202eb",
  "__proto__ ",
];

const kinds: Record<string, { schema: z.ZodType; good: string[]; bad: string[] }> = {
  "an account name": {
    schema: AccountName,
    good: ["root", "deploy", "_apt", "www-data", "a", "a".repeat(32), "svc_1"],
    bad: ["Root", "1st", ".hidden", "a.b", "a@b", "a".repeat(33), "a$", "-", "a+b"],
  },
  "a host name": {
    schema: HostName,
    good: ["db-1", "1", "127.0.0.1", "db-1.eu.example.com", "a".repeat(63), "xn--bcher-kva.example", "a--b"],
    bad: [
      "DB-1",
      "db_1",
      "a..b",
      ".a",
      "a.",
      "a-",
      "a-.b",
      "a.-b",
      "a".repeat(64),
      "[::1]",
      "a:22",
      `${"a.".repeat(127)}ab`,
    ],
  },
  "a short name": {
    schema: ShortName,
    good: ["acme", "acme-db", "1.2_3-4", "a".repeat(63)],
    bad: [".", "..", "_a", "A", "a".repeat(64), "a@b", "constructor()", "__proto__"],
  },
  "an identifier": {
    schema: Id,
    good: [`mem_${"0".repeat(26)}`, `eng_${"z".repeat(26)}`],
    bad: [
      `mem_${"0".repeat(25)}`,
      `mem_${"0".repeat(27)}`,
      `MEM_${"0".repeat(26)}`,
      `mem_${"i".repeat(26)}`,
      `mem_${"U".repeat(26)}`,
    ],
  },
  "a session id": {
    schema: SessionId,
    good: [`ses_${"0".repeat(26)}`],
    bad: [`mem_${"0".repeat(26)}`, `ses_${"0".repeat(26)}/..`, `../ses_${"0".repeat(23)}`],
  },
};

for (const [kind, { schema, good, bad }] of Object.entries(kinds)) {
  describe(kind, () => {
    for (const name of good) it(`is ${name}`, () => assert.equal(schema.safeParse(name).success, true));
    for (const name of [...bad, ...HOSTILE]) {
      it(`is not ${JSON.stringify(name)}`, () => assert.equal(schema.safeParse(name).success, false));
    }
    it("is found out about soon, however long", () => {
      for (const text of ["a".repeat(1e6), "a-".repeat(5e5), "a.".repeat(5e5), "-".repeat(1e6)]) {
        assert.equal(schema.safeParse(text).success, false);
      }
    });
  });
}

describe("a new identifier", () => {
  const random = new Uint8Array(10).fill(0xff);

  it("has 48 bits of time and 80 of chance", () => {
    assert.equal(makeId("mem", 0, new Uint8Array(10)), `mem_${"0".repeat(26)}`);
    assert.equal(makeId("mem", 0, random), "mem_0000000000zzzzzzzzzzzzzzzz");
    assert.equal(makeId("mem", 2 ** 48 - 1, random), `mem_7${"z".repeat(25)}`);
  });

  it("sorts by time", () => {
    const times = [1, 2, 1000, 1.7e12, 1.7e12 + 1, 2 ** 47];
    const ids = times.map((time) => makeId("ses", time, random));
    assert.deepEqual(ids.toSorted(), ids);
    for (const one of ids) assert.ok(SessionId.parse(one));
  });

  it("is not made of too little chance", () => {
    assert.throws(() => makeId("mem", 0, new Uint8Array(9)), TypeError);
  });
});

describe("text for people", () => {
  it("may have any letters, spaces and signs", () => {
    for (const text of ["", "Ann O'Neill <ann@x.example>", "Łukasz 李 🙂", "a  b", "x".repeat(500)]) {
      assert.equal(DisplayText.safeParse(text).success, true);
    }
  });

  it("may not act on a terminal, or be endless", () => {
    const bad = [
      "a\n",
      "a\u001b[2J",
      "a\u0007",
      "a\u009b2J",
      "a\u007f",
      "a\u202eb",
      "a\u2066b",
      "a\u2028b",
      "x".repeat(501),
    ];
    for (const text of bad) assert.equal(DisplayText.safeParse(text).success, false, JSON.stringify(text));
  });
});

describe("a time in seconds", () => {
  it("is whole, and within years of four digits", () => {
    for (const time of [0, 1, 253402300799]) assert.equal(EpochSeconds.safeParse(time).success, true);
    for (const time of [-1, 0.5, 253402300800, Number.NaN, "1"])
      assert.equal(EpochSeconds.safeParse(time).success, false);
  });
});
