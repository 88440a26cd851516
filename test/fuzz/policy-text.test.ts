import assert from "node:assert/strict";
import { widens } from "@sallyport/control-plane/policy/widens.ts";
import { isSallyportError } from "@sallyport/core/errors.ts";
import { applyMergePatch, makeMergePatch } from "@sallyport/core/json-merge-patch.ts";
import { Engagement } from "@sallyport/core/policy/engagement.ts";
import { PolicyFile } from "@sallyport/core/policy/policy-file.ts";
import { readYaml } from "@sallyport/core/yaml/read-yaml.ts";
import fc from "fast-check";
import { makeEngagement } from "../unit/core/policy/scenario.ts";
import { fuzz, RUNS, timeLimit } from "./support/fuzz.ts";
import { edits, mutate } from "./support/mutate.ts";

const FILE = "policy.yaml";
/** Most that is given to the reader here, in characters; and the processor's time that it may take for it, in microseconds. */
const [LONGEST, MOST_CPU] = [4096, 200_000];

const VALID = `version: 1
members:
  - &dana { name: Dana Doe, email: dana@vendor.test, vendor: vendor, account: dana }
  - { name: "Éva \\u00e9", email: eva@vendor.test, vendor: vendor }
engagements:
  - name: web-work
    vendor: vendor
    members: [dana@vendor.test, eva@vendor.test] # both
    hosts: { names: [web-1], labels: { tier: web } }
    accounts: [deploy]
    personal: { groups: [adm], home: keep }
    privilege:
      sudo: listed
      commands:
        - { program: /usr/bin/systemctl, arguments: [restart, nginx], runAs: root }
    limits: { idle: 600, longest: 3600, concurrent: 2 }
    hours:
      timeZone: Europe/Berlin
      windows: [{ days: [mon, tue], from: "08:00", to: "18:00" }]
    sources: [192.0.2.0/24, "2001:db8::/32"]
    start: 2026-01-01T09:00:00+01:00
    end: 2090-01-01
    contact: >-
      sec@acme.test
    approval: { rule: login, lasts: 28800 }
`;

/** Words that mean something to YAML, to JavaScript or to the schema. */
const word = fc.constantFrom(
  ...[
    "version: 1",
    "members:",
    "engagements:",
    "- ",
    "\n",
    "\n  ",
    "\n    ",
    ": ",
    "? ",
    "{",
    "}",
    "[",
    "]",
    ", ",
  ],
  ...[
    "&a",
    "*a",
    "*dana",
    "<<: *dana",
    "<<",
    "!!binary x",
    "!!set",
    "!!omap",
    "!!timestamp",
    "!x ",
    "!<",
    "%YAML 1.1\n---\n",
  ],
  ...[
    "%TAG ! x\n",
    "---\n",
    "...\n",
    "|",
    ">-",
    "'",
    '"',
    '"\\ud800"',
    '"\\x00"',
    "#",
    "\t",
    "\r",
    "\ufeff",
    "\u0000",
    "\u2028",
  ],
  ...["__proto__: ", "{ __proto__: { polluted: yes } }", "constructor: ", "prototype: ", "toString: "],
  ...[
    "name: x",
    "hosts: {}",
    "~",
    ".nan",
    "-.inf",
    "1e999",
    "0x10",
    "0o7",
    "2001-01-01",
    "null",
    "yes",
    "web-work",
  ],
);
const words = fc.array(word, { maxLength: 60, size: "max" }).map((list) => list.join(""));
/** What costs a parser most: one thing again and again. */
const again = fc
  .tuple(
    fc.oneof(words, fc.string({ unit: "binary", minLength: 1, maxLength: 8 })),
    fc.nat(LONGEST),
    fc.string({ maxLength: 4 }),
  )
  .map(
    ([text, count, end]) =>
      text.slice(0, 60).repeat(Math.min(count, Math.ceil(LONGEST / Math.max(1, Math.min(60, text.length))))) +
      end,
  );
/** One in the other, without an end. */
const deep = fc
  .tuple(fc.constantFrom("[", "{", "- ", "? ", "[{", "{a: ", "[? "), fc.nat(LONGEST))
  .map(([text, count]) => text.repeat(count));
/** Aliases that multiply. */
const laughs = fc
  .tuple(fc.integer({ min: 2, max: 12 }), fc.integer({ min: 2, max: 12 }))
  .map(([levels, width]) =>
    Array.from(
      { length: levels },
      (_, n) => `a${n}: &a${n} [${`${n === 0 ? "x" : `*a${n - 1}`},`.repeat(width)}]\n`,
    ).join(""),
  );
const mutated = edits.map((changes) => mutate(Buffer.from(VALID), changes).toString());
const spliced = fc
  .tuple(fc.nat(VALID.length), fc.nat(40), words)
  .map(([at, length, text]) => VALID.slice(0, at) + text + VALID.slice(at + length));
/** Other values in the right places: many of these are what somebody may have meant. */
const sense = fc
  .array(
    fc.oneof(
      fc.tuple(
        fc.constantFrom("Dana Doe", "sec@acme.test"),
        fc.string({ unit: "grapheme", maxLength: 20 }).map((text) => JSON.stringify(text)),
      ),
      fc.tuple(fc.constantFrom("600", "3600", "28800"), fc.nat(50_000).map(String)),
      fc.tuple(
        fc.constantFrom("2026-01-01T09:00:00+01:00", "2090-01-01"),
        fc.constantFrom("1970-01-01", "1969-12-31", "2026-01-01", "2100-01-01T00:00:00Z", "2026-02-30"),
      ),
      fc.tuple(
        fc.constantFrom("deploy", "nginx", "tier", "web-1", "web-work"),
        fc.constantFrom("app", "constructor", "tostring", "__proto__", "x-1", "~"),
      ),
    ),
    { minLength: 1, maxLength: 3 },
  )
  .map((changes) => changes.reduce((text, [from, to]) => text.replace(from, () => to), VALID));
const anything = fc.string({ unit: "binary", maxLength: LONGEST, size: "max" });

describe("fuzz: policy as people write it", function () {
  this.timeout(timeLimit());
  // Mocha keeps whole stacks of errors: hundreds of errors, each hundreds of calls deep, cost more than reading does.
  const { stackTraceLimit } = Error;
  before(() => {
    Error.stackTraceLimit = 10;
  });
  after(() => {
    Error.stackTraceLimit = stackTraceLimit;
  });
  const untouched = Object.getOwnPropertyNames(Object.prototype).sort();
  afterEach(() => assert.deepEqual(Object.getOwnPropertyNames(Object.prototype).sort(), untouched));

  it("is what the schema allows, or a mistake with its line and column, soon", async () => {
    const { value } = readYaml(VALID, FILE, PolicyFile);
    assert.equal(value.engagements[0]?.accounts[0], "deploy");
    let [read, refused] = [0, 0];
    await fuzz(
      fc.oneof(
        { weight: 6, arbitrary: mutated },
        { weight: 6, arbitrary: spliced },
        { weight: 4, arbitrary: sense },
        { weight: 4, arbitrary: words },
        { weight: 3, arbitrary: again },
        { weight: 1, arbitrary: deep },
        { weight: 1, arbitrary: laughs },
        { weight: 1, arbitrary: anything },
      ),
      (text) => {
        const input = text.slice(0, LONGEST);
        // Once more where it was slow: only what is slow each time is so by itself, and not by what else goes on here.
        const took = cpuOf(input);
        if (took >= MOST_CPU) assert.ok(cpuOf(input) < MOST_CPU, `${took} µs`);
        try {
          const { value } = readYaml(input, FILE, PolicyFile);
          read++;
          isPlain(value);
          // What was read has its times as numbers; the rest of it is what the schema says of itself.
          for (const { start, end, hosts } of value.engagements)
            assert.ok(end > start && start >= 0 && hosts.names.length + Object.keys(hosts.labels).length > 0);
        } catch (error) {
          refused++;
          if (!isSallyportError(error, "config-invalid")) throw error;
          const lines = input.split("\n").length;
          for (const line of error.message.split("\n").filter((one) => !/^\d+ more$/.test(one))) {
            const [, at] = /^policy\.yaml:(\d+):\d+: ./.exec(line) ?? [];
            assert.ok(at !== undefined && Number(at) <= lines, error.message);
          }
        }
      },
      { runs: RUNS / 30 },
    );
    assert.ok(Math.min(read, refused) > RUNS / 1000, `${read} read, ${refused} refused`);
  });

  it("is a mistake when it is nested deeper than the stack is", () => {
    const text = "[".repeat(30_000);
    assert.throws(
      () => readYaml(text, FILE, PolicyFile),
      (error) => isSallyportError(error, "config-invalid") && /nested too deeply/.test(error.message),
    );
  });

  const name = fc.constantFrom("a", "b", "c", "__proto__", "constructor", "toString", "");
  const json = fc.letrec<{ value: unknown; object: Record<string, unknown> }>((tie) => ({
    value: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      fc.constantFrom<unknown>(null, true, 0, 1, "x", "", [], {}),
      fc.array(tie("value"), { maxLength: 3 }),
      tie("object"),
    ),
    object: fc
      .array(fc.tuple(name, tie("value")), { maxLength: 4 })
      .map((fields) => Object.fromEntries(fields)),
  }));

  it("is patched as RFC 7396 has it: as its own algorithm does, twice as once, and without a trace elsewhere", async () => {
    await fuzz(
      fc.tuple(json.value, json.value),
      ([target, patch]) => {
        const before = JSON.stringify([target, patch]);
        const once = applyMergePatch(target, patch);
        assert.deepEqual(once, mergePatch(target, patch));
        assert.deepEqual(applyMergePatch(once, patch), once);
        assert.equal(JSON.stringify([target, patch]), before);
        isPlain(once);
      },
      { runs: RUNS / 2 },
    );
  });

  it("is patched into anything else by the patch made for it, which is empty for the same", async () => {
    await fuzz(
      fc.tuple(json.object, json.object),
      ([before, after]) => {
        const patch = makeMergePatch(before, after);
        const made = applyMergePatch(before, patch);
        assert.deepEqual(withoutNulls(made), withoutNulls(after));
        assert.deepEqual(makeMergePatch(after, after), {});
        assert.deepEqual(
          withoutNulls(applyMergePatch(made, makeMergePatch(made as object, before))),
          withoutNulls(before),
        );
      },
      { runs: RUNS / 2 },
    );
  });

  const members = ["a", "b", "c"].map((letter) => `mem_${letter.repeat(26)}`);
  const few = <T>(...values: T[]) => fc.uniqueArray(fc.constantFrom(...values), { maxLength: values.length });
  const limit = fc.option(fc.constantFrom(60, 600, 3600), { freq: 3 });
  const command = fc.record({
    program: fc.constantFrom("/bin/a", "/bin/b"),
    arguments: fc.constantFrom(null, [], ["x"]),
    runAs: fc.constantFrom("root", "app"),
  });
  const engagement = fc
    .record(
      {
        vendor: fc.constantFrom("acme", "other"),
        members: few(...members),
        hosts: fc.record({
          names: few("web-1", "web-2"),
          labels: fc.constantFrom({}, { a: "1" }, { a: "1", b: "2" }),
        }),
        accounts: few("deploy", "app"),
        personal: fc.option(
          fc.record({ groups: few("adm", "docker"), home: fc.constantFrom("keep", "delete") }),
        ),
        privilege: fc.oneof(
          fc.constantFrom({ sudo: "none" }, { sudo: "full" }),
          fc.array(command, { minLength: 1, maxLength: 3 }).map((commands) => ({ sudo: "listed", commands })),
        ),
        forwarding: fc.record({
          local: few("db:5432", "db:22"),
          remote: few("8080", "80"),
          agent: fc.boolean(),
          x11: fc.boolean(),
        }),
        limits: fc.record({ idle: limit, longest: limit, concurrent: fc.constantFrom(null, 1, 2) }),
        recording: fc.record({ input: fc.boolean(), durability: fc.constantFrom("normal", "strict") }),
        acceptUnsafeShell: fc.boolean(),
        mfa: fc.record({ level: fc.constantFrom("none", "mfa", "phishing-resistant"), maxAge: limit }),
        sources: few("192.0.2.0/24", "198.51.100.7"),
        start: fc.constantFrom(1000, 1500),
        end: fc.constantFrom(2000, 3000),
        assurance: fc.constantFrom("bound", "brokered"),
        certificateLifetime: limit,
      },
      { requiredKeys: [], noNullPrototype: true },
    )
    .map((changes) => Engagement.parse({ ...makeEngagement(), ...changes }));

  it("is not wider than itself, wider than less of it, and no wider by way of a third", async () => {
    let wider = 0;
    await fuzz(
      fc.tuple(engagement, engagement, engagement),
      ([one, other, third]) => {
        assert.deepEqual(widens(one, structuredClone(one)), []);
        const grown = widens(one, other);
        for (const field of grown) {
          wider++;
          assert.notDeepEqual(one[field as keyof Engagement], other[field as keyof Engagement]);
        }
        const isNew = (before: readonly string[], after: readonly string[]) =>
          after.some((each) => !before.includes(each));
        for (const list of ["members", "accounts"] as const)
          assert.equal(grown.includes(list), isNew(one[list], other[list]), list);
        if (isNew(one.hosts.names, other.hosts.names)) assert.ok(grown.includes("hosts"));
        // What neither step widens is not wider in the end: nobody gets there without being asked, by small steps.
        const [there, on] = [new Set(grown), new Set(widens(other, third))];
        for (const field of widens(one, third)) assert.ok(there.has(field) || on.has(field), field);
        for (const list of ["members", "accounts"] as const) {
          const both = { ...one, [list]: [...new Set([...one[list], ...other[list]])] };
          assert.deepEqual(widens(both, one), []);
          assert.deepEqual(widens(one, both), both[list].length > one[list].length ? [list] : []);
        }
      },
      { runs: RUNS / 10 },
    );
    assert.ok(wider > RUNS / 20, `${wider}`);
  });
});

/** What reading a text takes of the processor, in microseconds, whatever comes of it. */
function cpuOf(text: string): number {
  const begun = process.cpuUsage();
  try {
    readYaml(text, FILE, PolicyFile);
  } catch {
    // What it is refused with is looked at elsewhere.
  }
  const { user, system } = process.cpuUsage(begun);
  return user + system;
}

/** RFC 7396, section 2, word for word. */
function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const isObject = typeof target === "object" && target !== null && !Array.isArray(target);
  const result = new Map<string, unknown>(isObject ? Object.entries(target) : []);
  for (const [name, value] of Object.entries(patch)) {
    if (value !== null) result.set(name, mergePatch(result.get(name), value));
    else result.delete(name);
  }
  return Object.fromEntries(result);
}

/** Members that are null taken away, on every level of objects: what is not there is the same to a merge patch. */
function withoutNulls(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const fields = Object.entries(value).filter(([, each]) => each !== null);
  return Object.fromEntries(fields.map(([name, each]) => [name, withoutNulls(each)]));
}

/** Objects of JSON's own kinds only, whatever their members are called. */
function isPlain(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  assert.ok(
    [Object.prototype, Array.prototype, null].includes(Object.getPrototypeOf(value)),
    "another prototype",
  );
  for (const each of Object.values(value)) isPlain(each);
}
