import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { isIP } from "node:net";
import { readSlackPress } from "@sallyport/control-plane/approvals/slack-answer.ts";
import { SLACK_ACTIONS } from "@sallyport/control-plane/approvals/slack-message.ts";
import { checkSlackSignature, slackSignature } from "@sallyport/control-plane/approvals/slack-signature.ts";
import { openDatabase } from "@sallyport/control-plane/database/open-database.ts";
import {
  checkDatabaseUrl,
  describeDatabaseUrl,
} from "@sallyport/control-plane/database/postgres/database-url.ts";
import type { Database } from "@sallyport/control-plane/database/tables.ts";
import { ClientAddresses, limitKey } from "@sallyport/control-plane/http/client-address.ts";
import { isPlausibleToken, makeTokenSecret } from "@sallyport/control-plane/issuance/token-secret.ts";
import { objectsLocation } from "@sallyport/control-plane/objects/objects-url.ts";
import { isSallyportError } from "@sallyport/core/errors.ts";
import { formatJoinToken, JoinToken, parseJoinToken } from "@sallyport/core/messages/trust.ts";
import fc from "fast-check";
import { fuzz, RUNS, refusalOr, timeLimit } from "./support/fuzz.ts";
import { edits, mutate } from "./support/mutate.ts";

const NOW = 1_800_000_000;
const REQUEST = `apr_${"0".repeat(26)}`;
const PRESSED = `${REQUEST}:0`;
const press = (changes: Record<string, unknown> = {}): Record<string, unknown> => ({
  type: "block_actions",
  user: { id: "U024BE7LH" },
  actions: [{ action_id: SLACK_ACTIONS.approve, value: PRESSED }],
  response_url: "https://hooks.slack.com/actions/x",
  ...changes,
});
const form = (payload: unknown): string =>
  new URLSearchParams({ payload: JSON.stringify(payload) }).toString();

describe("fuzz: what the web brings to the control plane", function () {
  this.timeout(timeLimit());
  let db: Database;
  before(async () => {
    db = await openDatabase(":memory:");
  });
  after(() => db.destroy());

  it("a press in Slack is signed as it came, within five minutes and once, or refused", async () => {
    const secret = randomBytes(32);
    const environment = {
      clock: () => NOW * 1000,
      random: (length: number) => randomBytes(length),
      log: { info: () => {}, warn: () => {}, error: () => {} },
    };
    const check = (request: Parameters<typeof checkSlackSignature>[2]) =>
      refusalOr(() => checkSlackSignature({ db, environment }, secret, request));
    const time = fc.oneof(
      fc.integer({ min: NOW - 310, max: NOW + 310 }).map(String),
      fc.constantFrom("", "NaN", "1e9", ` ${NOW}`, `${NOW}.0`, "-1", `${NOW}\n`, "9".repeat(40)),
    );
    const change = fc.record({
      signature: fc.option(edits, { freq: 2 }),
      body: fc.option(edits, { freq: 2 }),
      timestamp: fc.option(time, { freq: 2 }),
      other: fc.option(fc.constantFrom("", "v1", "v0=", undefined, "v0=é"), { nil: null, freq: 2 }),
    });
    let good = 0;
    await fuzz(
      fc.tuple(time, fc.string({ maxLength: 60 }), change),
      async ([timestamp, text, changes]) => {
        const body = form(press({ text }));
        const right = slackSignature(secret, timestamp, body);
        const sent = {
          timestamp: changes.timestamp ?? timestamp,
          body: changes.body ? mutate(Buffer.from(body), changes.body).toString() : body,
          signature:
            changes.other === null
              ? changes.signature
                ? mutate(Buffer.from(right), changes.signature).toString("latin1")
                : right
              : changes.other,
        };
        const isSame = sent.timestamp === timestamp && sent.body === body && sent.signature === right;
        const inTime = /^[0-9]{10}$/.test(timestamp) && Math.abs(Number(timestamp) - NOW) <= 300;
        const outcome = await check(sent);
        if (isSame && inTime) {
          // Now, or when a case before it was the same.
          if ("value" in outcome) good++;
          assert.ok("code" in (await check(sent)), "taken twice");
        } else assert.deepEqual(outcome, { code: "unauthenticated" });
      },
      { runs: RUNS / 4 },
    );
    assert.ok(good > RUNS / 400, `${good}`);
  });

  it("a press in Slack is one of our buttons, or is refused", async () => {
    const value = fc.oneof(
      fc.constantFrom<unknown>(
        PRESSED,
        PRESSED,
        `${REQUEST}:999999999`,
        `${REQUEST}:1:2`,
        `${REQUEST}:-1`,
        `${REQUEST}:1e9`,
        REQUEST,
        null,
      ),
      fc.anything({ maxDepth: 2 }),
    );
    const action = fc.record(
      { action_id: fc.constantFrom(...Object.values(SLACK_ACTIONS), "x"), value },
      { requiredKeys: [] },
    );
    const payload = fc
      .record(
        {
          type: fc.constantFrom<unknown>("block_actions", "block_actions", "view_submission", 1),
          user: fc.oneof(value, fc.record({ id: fc.oneof(fc.string({ maxLength: 70 }), value) })),
          actions: fc.oneof(value, fc.array(action, { minLength: 1, maxLength: 2 })),
          response_url: fc.oneof(value, fc.webUrl(), fc.constantFrom("javascript:x", "file:///x", "//x")),
        },
        { requiredKeys: [] },
      )
      .map((changes) => form(press(changes)));
    const depth = fc.nat(20_000).map((levels) => `payload=${"[".repeat(levels)}`);
    const bytes = edits.map((changes) => mutate(Buffer.from(form(press())), changes).toString());
    let read = 0;
    await fuzz(
      fc.oneof({ weight: 10, arbitrary: payload }, { weight: 10, arbitrary: bytes }, fc.string(), depth),
      async (body) => {
        const outcome = await refusalOr(() => readSlackPress(body));
        if ("code" in outcome) return assert.equal(outcome.code, "message-malformed");
        read++;
        const { user, request, version, decision, responseUrl } = outcome.value;
        assert.ok(Number.isSafeInteger(version) && version >= 0);
        assert.ok(user.length <= 64 && /^[a-z]{3}_[0-9a-z]{26}$/.test(request));
        assert.ok(decision === "approve" || decision === "deny");
        assert.match(responseUrl ?? "https://x", /^https?:/i);
      },
      { runs: RUNS / 2 },
    );
    assert.ok(read > RUNS / 200, `${read}`);
  });

  it("a token with any one character changed is none of ours, and whatever else comes is judged without a fault", async () => {
    const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    const random = fc.uint8Array({ minLength: 32, maxLength: 32 });
    const other = fc.oneof(fc.constantFrom(...digits), fc.string({ minLength: 1, maxLength: 1 }));
    await fuzz(
      fc.tuple(random, fc.nat(48), other, fc.string()),
      ([bytes, at, character, noise]) => {
        const token = makeTokenSecret(() => bytes);
        assert.match(token, /^spt_[0-9A-Za-z]{49}$/);
        assert.ok(isPlausibleToken(token));
        const changed = token.slice(0, 4 + at) + character + token.slice(5 + at);
        // CRC-32 finds every change within 32 bits that follow each other.
        assert.equal(isPlausibleToken(changed), changed === token);
        if (noise !== "") assert.equal(isPlausibleToken(`spt_${noise}`), false);
      },
      { runs: RUNS / 2 },
    );
  });

  it("a join token is read as it was made, or refused without a word of it", async () => {
    const base64url = (length: number) => fc.stringMatching(new RegExp(`^[A-Za-z0-9_-]{${length}}$`));
    const token = fc.record(
      {
        v: fc.constant(1 as const),
        server: fc.webUrl(),
        id: fc.stringMatching(/^jtk_[0-9a-z]{26}$/),
        secret: base64url(43),
        trustHash: base64url(43),
      },
      { noNullPrototype: true },
    );
    const change = fc.oneof(fc.constant(null), edits);
    let refused = 0;
    await fuzz(
      fc.tuple(token, change, fc.boolean()),
      ([made, changes, inside]) => {
        const text = formatJoinToken(made);
        if (changes === null) return assert.deepEqual(parseJoinToken(` ${text}\n`), made);
        const bytes = inside ? Buffer.from(text.slice(5), "base64url") : Buffer.from(text);
        const changed = mutate(bytes, changes);
        try {
          const given = inside ? `spj1.${changed.toString("base64url")}` : changed.toString();
          assert.ok(JoinToken.safeParse(parseJoinToken(given)).success);
        } catch (error) {
          refused++;
          assert.ok(isSallyportError(error, "join-token-malformed"), String(error));
          assert.ok(!error.message.includes(made.secret) && error.cause === undefined);
        }
      },
      { runs: RUNS / 4 },
    );
    assert.ok(refused > RUNS / 40, `${refused}`);
  });

  describe("a password in an address", () => {
    /** As people paste them: with what has a meaning in an address. Its end is no text that a message has by chance. */
    const password = fc
      .tuple(
        fc.oneof(fc.nat(70_000).map(String), fc.string({ maxLength: 20 }), fc.constant("")),
        fc.stringMatching(/^[&?#@/:%=+ \\[\]]{0,2}$/),
        fc.stringMatching(/^[A-Z][a-z][0-9][A-Za-z0-9]{8}$/),
      )
      .map(([start, sign, end]) => ({ secret: `${start}${sign}${end}`, end }));
    const host = fc.constantFrom(
      ...[
        "localhost",
        "127.0.0.1",
        "db.example.com",
        "%zz",
        "[::1]",
        "[",
        "",
        "a b",
        "%2fvar%2frun",
        "1:x",
        ":99999",
      ],
    );
    const rest = fc.constantFrom(
      ...[
        "",
        "/",
        "/db",
        "/%zz",
        "/db?sslmode=require",
        "/db?sslmode=verify-full",
        "/db?sslmode=disable&host=%zz",
      ],
    );
    const isIn = (text: string, end: string) => text.toLowerCase().includes(end.toLowerCase());
    const saysNothing = (error: unknown, end: string) => {
      assert.ok(isSallyportError(error, "config-invalid"), String(error));
      assert.ok(!isIn(`${error.stack} ${String(error.cause)}`, end), "the password is in the error");
    };
    const inUrl = (secret: string, encoded: boolean) =>
      encoded ? encodeURIComponent(secret.toWellFormed()) : secret;

    it("is in no error about DATABASE_URL, nor in its description", async () => {
      const scheme = fc.constantFrom(
        "postgres://",
        "postgresql://",
        "Postgres:",
        "postgres:/",
        "mysql://",
        "",
      );
      let [taken, refused] = [0, 0];
      await fuzz(
        fc.tuple(scheme, password, fc.boolean(), host, rest),
        ([scheme, { secret, end }, encoded, host, rest]) => {
          const url = `${scheme}user:${inUrl(secret, encoded)}@${host}${rest}`;
          let described = "";
          try {
            described = describeDatabaseUrl(checkDatabaseUrl(url));
            taken++;
          } catch (error) {
            refused++;
            saysNothing(error, end);
          }
          assert.ok(!isIn(described, end), "the password is in the description");
        },
        { runs: RUNS / 4 },
      );
      assert.ok(Math.min(taken, refused) > RUNS / 80, `${taken} ${refused}`);
    });

    it("is in no error about SALLYPORT_OBJECTS", async () => {
      const shapes: ((secret: string) => string)[] = [
        (secret) => `s3://id:${secret}@recordings`,
        (secret) => `s3://recordings?endpoint=https://id:${secret}@${"s3.example.com"}`,
        (secret) => `s3://recordings?region=${secret}`,
        (secret) => `s3://recordings?secret=${secret}`,
        (secret) => `s3://recordings?${secret}=1`,
        (secret) => `s3://${secret}`,
        (secret) => `https://${secret}`,
        (secret) => `s3://recordings/${secret}`,
        () => "s3://recordings?endpoint=ftp://x",
        () => "s3://recordings",
      ];
      let [taken, refused] = [0, 0];
      await fuzz(
        fc.tuple(fc.constantFrom(...shapes), password, fc.boolean(), fc.boolean()),
        ([shape, { secret, end }, encoded, whole]) => {
          const variables = {
            SALLYPORT_OBJECTS: shape(inUrl(secret, encoded)),
            AWS_ACCESS_KEY_ID: "the-id",
            AWS_SECRET_ACCESS_KEY: whole ? secret : "",
          };
          try {
            assert.equal(objectsLocation(variables)?.secretAccessKey, secret);
            taken++;
          } catch (error) {
            refused++;
            saysNothing(error, end);
          }
        },
        { runs: RUNS / 4 },
      );
      assert.ok(Math.min(taken, refused) > RUNS / 80, `${taken} ${refused}`);
    });
  });

  it("a client's address is the connection's, or what a trusted proxy wrote; a stranger moves nothing", async () => {
    const addresses = new ClientAddresses(["10.0.0.0/8", "2001:db8::/32", "fe80::/10"]);
    const address = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.constantFrom("10.1.2.3", "2001:db8::1", "::ffff:10.0.0.1", "::ffff:192.0.2.1", "fe80::1%eth0", "::"),
    );
    const hop = fc.oneof(
      address,
      address,
      fc.string(),
      fc.constantFrom("unknown", '"[2001:db8::1]:80"', " "),
    );
    const header = fc.array(hop, { maxLength: 8 }).map((hops) => hops.join(", "));
    const long = fc.tuple(hop, fc.nat(3000)).map(([text, count]) => `${text},`.repeat(count));
    const proxy = fc.constantFrom("10.0.0.1", "::ffff:10.9.9.9", "2001:db8::7");
    const stranger = fc.constantFrom("192.0.2.1", "::ffff:192.0.2.9", "2001:db9::1", "fec0::1");
    await fuzz(
      fc.tuple(proxy, stranger, address, fc.oneof({ weight: 20, arbitrary: header }, long)),
      ([near, far, client, claimed]) => {
        const plain = far.replace("::ffff:", "");
        assert.equal(addresses.of(far, claimed), plain);
        assert.equal(addresses.of(near, `${claimed}, ${far}`), plain);
        assert.ok(isIP(addresses.of(near, claimed)) !== 0);
        assert.match(limitKey(client), isIP(client) === 4 ? /^[0-9.]+$/ : /^([0-9a-f]{1,4}:){4}:\/64$/);
        assert.equal(addresses.of(undefined, claimed), "unknown");
      },
      { runs: RUNS / 4 },
    );
  });
});
