import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type PinnedTrust, readPinnedTrust } from "@sallyport/agent/configuration/pinned-trust.ts";
import { PinnedKeys } from "@sallyport/agent/trust/pinned-keys.ts";
import { policyJwk, policySshKey } from "@sallyport/agent/trust/policy-jwk.ts";
import { KeyKind, KeyStatement, signKeyStatement } from "@sallyport/core/messages/key-succession.ts";
import { formatPublicKeyLine } from "@sallyport/core/ssh/public-key.ts";
import { keySigner, type Signer } from "@sallyport/core/ssh/signer.ts";
import fc from "fast-check";
import { fuzz, RUNS, refusalOr, timeLimit } from "./support/fuzz.ts";
import { makeMemoryDirectory } from "./support/memory-directory.ts";
import { edits, mutate } from "./support/mutate.ts";

const SERVER = "https://sallyport.example.com";
const KINDS = KeyKind.options;
/** The first three are pinned, one of each kind; the others are anybody's. */
const KEYS: Signer[] = Array.from({ length: 6 }, () => keySigner(generateKeyPairSync("ed25519").privateKey));
const LINES = KEYS.map(({ publicKey }) => formatPublicKeyLine(publicKey));
const rsa = keySigner(generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey);
const key = (index: number): Signer => KEYS[index] ?? assert.fail();

/** A statement, and whose signature it has in truth. */
interface Said {
  type: KeyStatement["type"];
  kind: KeyKind;
  old: number;
  next: number;
  signer: number;
  controlPlane: string;
}
const made = new Map<string, Promise<KeyStatement>>();
/** Signed once, however often it is said. */
function statementOf(said: Said): Promise<KeyStatement> {
  const name = JSON.stringify(said);
  const { type, kind, controlPlane, old, next, signer } = said;
  const pair = { old: key(old).publicKey, new: key(next).publicKey, signer: key(signer) };
  const statement = made.get(name) ?? signKeyStatement({ type, kind, controlPlane, at: 1 }, pair);
  made.set(name, statement);
  return statement;
}
const isHonest = ({ type, old, next, signer }: Said): boolean =>
  signer === (type === "succession" ? old : next);

const someKey = fc.nat(KEYS.length - 1);
const somebody = fc.record({
  type: fc.constantFrom<Said["type"]>("succession", "succession", "retirement"),
  kind: fc.constantFrom(...KINDS),
  old: someKey,
  next: someKey,
  signer: someKey,
  controlPlane: fc.constantFrom(SERVER, SERVER, SERVER, `${SERVER}/`),
});
/** What the right key says of a kind: most of what is believed is among it. */
const rightly = somebody.map((said): Said => {
  const one = { ...said, controlPlane: SERVER };
  return { ...one, signer: one.type === "succession" ? one.old : one.next };
});
/** Whose old key is the one that is pinned first. */
const first = rightly.map((said): Said => {
  const old = KINDS.indexOf(said.kind);
  return { ...said, old, signer: said.type === "succession" ? old : said.next };
});
const said = fc.oneof(first, rightly, somebody);

describe("fuzz: statements about keys that hosts pin", function () {
  this.timeout(timeLimit());
  const directory = makeMemoryDirectory();
  const file = join(directory, "trust.yaml");
  const userCaKeys = join(directory, "user_ca.pub");
  after(() => rmSync(directory, { recursive: true }));

  const pinned: PinnedTrust = {
    version: 1,
    host: { id: `hst_${"0".repeat(26)}`, name: "web-1" as never },
    trust: {
      v: 1,
      controlPlane: SERVER,
      userCaKeys: [LINES[0] ?? ""],
      // The first signs for two kinds here: what it says of one is not said of the other.
      hostCaKeys: [LINES[1] ?? "", LINES[0] ?? ""],
      policyKeys: [policyJwk(key(2).publicKey)],
      issuers: [
        {
          ...{ issuer: "https://idp.example.com", clientIds: ["cli"], algorithms: ["RS256"] },
          ...{ maxTokenAge: 3600, mfa: { acr: {}, amr: {} } },
        },
      ],
    },
  };
  const open = (from = pinned) =>
    new PinnedKeys({ file, userCaKeys, pinned: from, policySignedBy: () => undefined });
  /** The keys of each kind, by their number in {@link KEYS}; -1 is one that nobody here has. */
  const trustedBy = ({ trust }: PinnedKeys): Record<KeyKind, number[]> => {
    const number = (line: string) => LINES.indexOf(line.split(" ").slice(0, 2).join(" "));
    return {
      "user-ca": trust.userCaKeys.map(number),
      "host-ca": trust.hostCaKeys.map(number),
      policy: trust.policyKeys.map((jwk) => number(formatPublicKeyLine(policySshKey(jwk)))),
    };
  };

  it("are believed of the key that says so, of its own kind, once; nothing else comes or goes", async () => {
    let [came, went, refused] = [0, 0, 0];
    await fuzz(
      fc.array(said, { maxLength: 12, size: "max" }),
      async (history) => {
        const keys = open();
        const successor = new Map<string, number>();
        for (const one of history) {
          const before = trustedBy(keys);
          const outcome = await refusalOr(async () => keys.accept(await statementOf(one)));
          const after = trustedBy(keys);
          if (!("value" in outcome && outcome.value)) {
            refused++;
            assert.deepEqual(after, before);
            continue;
          }
          const { type, kind, old, next, controlPlane } = one;
          const name = `${kind} ${old}`;
          assert.ok(isHonest(one) && controlPlane === SERVER, "it was not theirs to say");
          assert.ok(before[kind].includes(old), "the old key was not trusted");
          if (type === "succession") {
            came++;
            assert.ok(!successor.has(name), "a second successor");
            successor.set(name, next);
            const list = before[kind].includes(next) ? before[kind] : [...before[kind], next];
            assert.deepEqual(after, { ...before, [kind]: list });
          } else {
            went++;
            assert.equal(successor.get(name), next);
            assert.deepEqual(after, { ...before, [kind]: before[kind].filter((each) => each !== old) });
          }
          assert.ok(after[kind].length > 0, "nothing is trusted any more");
          assert.equal(readFileSync(userCaKeys, "utf8"), `${keys.trust.userCaKeys.join("\n")}\n`);
        }
        if (successor.size > 0) assert.deepEqual(readPinnedTrust(file).trust, keys.trust);
      },
      { runs: RUNS / 50 },
    );
    assert.ok(came > RUNS / 200 && went > 0 && refused > 0, `${came} came, ${went} went`);
  });

  it("are believed as they were signed, or refused with a code, whatever is changed in them", async () => {
    const good: Said[] = [
      { type: "succession", kind: "user-ca", old: 0, next: 3, signer: 0, controlPlane: SERVER },
      { type: "succession", kind: "policy", old: 2, next: 4, signer: 2, controlPlane: SERVER },
      { type: "retirement", kind: "user-ca", old: 0, next: 3, signer: 3, controlPlane: SERVER },
    ];
    const statements = await Promise.all(good.map(statementOf));
    const signatures = [
      ...statements.map(({ signature }) => signature),
      (await statementOf({ ...(good[0] ?? assert.fail()), signer: 5 })).signature,
    ];
    const field = fc.oneof(
      fc.tuple(fc.constant("type"), fc.constantFrom("succession", "retirement", "", null)),
      fc.tuple(fc.constant("kind"), fc.constantFrom<unknown>(...KINDS, "audit-log", "__proto__", 0)),
      fc.tuple(
        fc.constantFrom("old", "new"),
        fc.constantFrom(...LINES, `${LINES[3]} x`, `${LINES[3]}=`, formatPublicKeyLine(rsa.publicKey), ""),
      ),
      fc.tuple(
        fc.constant("controlPlane"),
        fc.constantFrom(`${SERVER}/`, "https://evil.test", "https://a/\ud800", "https://A\u0000", "x:"),
      ),
      fc.tuple(fc.constant("at"), fc.constantFrom<unknown>(0, 2, 1e300, -1, 0.5, "1")),
      fc.tuple(fc.constant("signature"), fc.constantFrom(...signatures, "AAAA", "=")),
      fc.tuple(fc.constantFrom("v", "__proto__", "extra", "toString"), fc.anything({ maxDepth: 1 })),
    );
    const change = fc.oneof(
      fc.array(field, { minLength: 1, maxLength: 3 }).map((changes) => (text: string) => {
        const fields = JSON.parse(text) as Record<string, unknown>;
        return { ...fields, ...Object.fromEntries(changes) } as unknown;
      }),
      edits.map((changes) => (text: string) => parsed(mutate(Buffer.from(text), changes).toString())),
      // In its signature alone, which other checks do not look at.
      edits.map((changes) => (text: string) => {
        const fields = JSON.parse(text) as KeyStatement;
        const signature = mutate(Buffer.from(fields.signature, "base64"), changes).toString("base64");
        return { ...fields, signature };
      }),
    );
    const [succeeded, policy] = statements;
    assert.ok(succeeded !== undefined && policy !== undefined);
    const after = open();
    after.accept(succeeded);
    const rotated = readPinnedTrust(file);
    let [read, refused] = [0, 0];
    await fuzz(
      fc.tuple(fc.nat(2), change),
      async ([which, changed]) => {
        const statement = statements[which] ?? assert.fail();
        const { data } = KeyStatement.safeParse(changed(JSON.stringify(statement)));
        if (data === undefined) return;
        read++;
        const keys = open(which === 2 ? rotated : pinned);
        const before = JSON.stringify(keys.trust);
        const outcome = await refusalOr(() => keys.accept(data));
        if (!("value" in outcome)) refused++;
        if (!("value" in outcome && outcome.value)) return assert.equal(JSON.stringify(keys.trust), before);
        const { signature: _given, ...believed } = data;
        const known = statements.map(({ signature: _its, ...content }) => JSON.stringify(sorted(content)));
        assert.ok(known.includes(JSON.stringify(sorted(believed))), "nobody said this");
      },
      { runs: RUNS / 2 },
    );
    assert.ok(read > RUNS / 20 && refused > RUNS / 40, `${read} read, ${refused} refused`);
  });
});

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function sorted(fields: object): [string, unknown][] {
  return Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1));
}
