import assert from "node:assert/strict";
import { readdirSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { JwksCache } from "@sallyport/agent/policy/jwks-cache.ts";
import sinon from "sinon";
import { temporaryDirectory } from "../support/temporary.ts";
import { within } from "../support/within.ts";

const KEYS = { keys: [{ kty: "OKP", crv: "Ed25519", x: "x", kid: "k1" }] };
const DISCOVERY = "/.well-known/openid-configuration";

type Answer = (response: ServerResponse, request: IncomingMessage) => void;
const json =
  (value: unknown): Answer =>
  (response) =>
    response.end(JSON.stringify(value));

describe("the identity providers' keys", () => {
  const directory = temporaryDirectory();
  let server: Server;
  let issuer: string;
  let answers: Record<string, Answer>;
  let asked: string[];
  let troubles: string[];
  let caches: JwksCache[];

  beforeEach(async () => {
    [asked, troubles, caches] = [[], [], []];
    server = createServer((request, response) => {
      const path = request.url ?? "";
      asked.push(path);
      (answers[path] ?? ((none) => none.writeHead(404).end()))(response, request);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    issuer = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
    answers = { [DISCOVERY]: json({ issuer, jwks_uri: `${issuer}/jwks` }), "/jwks": json(KEYS) };
  });
  afterEach(async () => {
    for (const cache of caches) cache.stop();
    sinon.restore();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const open = (...issuers: string[]) => {
    const all = issuers.length > 0 ? issuers : [issuer];
    const cache = new JwksCache(directory.file("jwks"), all, (message) => troubles.push(message));
    caches.push(cache);
    return cache;
  };
  const fetched = (cache: JwksCache) => within(3000, "the keys", () => cache.get(issuer) !== undefined);
  const troubled = (count = 1) => within(3000, `trouble ${count}`, () => troubles.length >= count);

  it("are fetched from the start, kept on disk, and there at once after a restart", async () => {
    const cache = open();
    assert.equal(cache.get(issuer), undefined);
    cache.start(600);
    await fetched(cache);
    assert.deepEqual(cache.get(issuer), KEYS);
    assert.deepEqual(asked, [DISCOVERY, "/jwks"]);
    assert.deepEqual(open().get(issuer), KEYS);
    assert.deepEqual(asked.length, 2);
    assert.deepEqual(troubles, []);
  });

  it("tell how far ahead the provider's clock is, a cache on the way included", async () => {
    const answer = answers[DISCOVERY];
    answers[DISCOVERY] = (response, request) => {
      response.setHeader("date", new Date(Date.now() + 3_600_000).toUTCString());
      response.setHeader("age", "600");
      answer?.(response, request);
    };
    const told: [string, number][] = [];
    const cache = new JwksCache(
      directory.file("jwks"),
      [issuer],
      (message) => troubles.push(message),
      (...skew) => told.push(skew),
    );
    caches.push(cache);
    cache.start(600);
    await fetched(cache);
    assert.equal(told[0]?.[0], issuer);
    assert.ok(Math.abs((told[0]?.[1] ?? 0) - 4200) < 5, String(told));
  });

  it("of an issuer that is no longer pinned are not taken from the disk, nor from a damaged file", async () => {
    const cache = open();
    cache.start(600);
    await fetched(cache);
    assert.equal(open("https://other.example").get(issuer), undefined);
    const [name = ""] = readdirSync(directory.file("jwks"));
    for (const damage of [
      "",
      "{",
      "null",
      `{"issuer":"${issuer}"}`,
      `{"issuer":"${issuer}","jwks":{"keys":[1]}}`,
    ]) {
      writeFileSync(directory.file(`jwks/${name}`), damage);
      assert.equal(open().get(issuer), undefined, damage);
    }
    assert.equal(troubles.length, 5);
    assert.match(String(troubles[0]), /is damaged and is fetched anew$/);
  });

  for (const [what, pattern, answer] of [
    [
      "calls itself another",
      /it calls itself https:\/\/evil\.example$/,
      () => ({ [DISCOVERY]: json({ issuer: "https://evil.example", jwks_uri: `${issuer}/jwks` }) }),
    ],
    [
      "calls itself the same but for a slash",
      /it calls itself/,
      () => ({ [DISCOVERY]: json({ issuer: `${issuer}/`, jwks_uri: `${issuer}/jwks` }) }),
    ],
    [
      "has its keys behind plain http",
      /http:\/\/idp\.invalid\/jwks is not https$/,
      () => ({ [DISCOVERY]: json({ issuer, jwks_uri: "http://idp.invalid/jwks" }) }),
    ],
    [
      "has its keys behind plain http, at a name like this machine's",
      /is not https$/,
      () => ({ [DISCOVERY]: json({ issuer, jwks_uri: "http://127.idp.invalid/jwks" }) }),
    ],
    [
      "has its keys in a file",
      /is not https$/,
      () => ({ [DISCOVERY]: json({ issuer, jwks_uri: "file:///etc/passwd" }) }),
    ],
    [
      "redirects",
      /fetch failed$/,
      () => ({
        "/jwks": (response: ServerResponse) => response.writeHead(302, { location: `${issuer}/other` }).end(),
        "/other": json(KEYS),
      }),
    ],
    [
      "fails",
      /answers 500$/,
      () => ({ "/jwks": (response: ServerResponse) => response.writeHead(500).end() }),
    ],
    [
      "has none",
      /answers 404$/,
      () => ({ [DISCOVERY]: (response: ServerResponse) => response.writeHead(404).end() }),
    ],
    ["sends no JSON", /JSON/, () => ({ "/jwks": (response: ServerResponse) => response.end("<html>") })],
    ["sends no keys", /invalid/i, () => ({ "/jwks": json({ keys: [{ kid: "x" }] }) })],
    [
      "sends too many keys",
      /too_big|Too big/i,
      () => ({ "/jwks": json({ keys: Array.from({ length: 101 }, () => KEYS.keys[0]) }) }),
    ],
    ["sends too much", /too large$/, () => ({ "/jwks": json({ ...KEYS, padding: "x".repeat(512 * 1024) }) })],
    [
      "hangs up",
      /fetch failed|terminated/,
      () => ({ "/jwks": (response: ServerResponse) => response.destroy() }),
    ],
  ] as const) {
    it(`stay as they were when the provider ${what}`, async () => {
      const before = open();
      before.start(600);
      await fetched(before);
      Object.assign(answers, answer());
      const cache = open();
      cache.start(600);
      await troubled();
      assert.match(String(troubles[0]), pattern);
      assert.ok(String(troubles[0]).startsWith(`keys of ${issuer} cannot be fetched: `));
      assert.deepEqual([cache.get(issuer), open().get(issuer)], [KEYS, KEYS]);
      assert.ok(!asked.includes("/other"));
    });
  }

  it("are not waited for without end: a provider that sends and sends is cut off", async () => {
    let sent = 0;
    const chunk = Buffer.alloc(64 * 1024, " ");
    const send = (response: ServerResponse): void => {
      while (!response.destroyed && sent < 64 * 1024 * 1024 && response.write(chunk)) sent += chunk.length;
      if (sent >= 64 * 1024 * 1024) response.end();
    };
    answers["/jwks"] = (response) => {
      response.on("drain", () => send(response));
      send(response);
    };
    open().start(600);
    await troubled();
    assert.match(String(troubles[0]), /too large$/);
    assert.ok(sent < 32 * 1024 * 1024, `${sent} bytes were read`);
  });

  describe("are asked for again", () => {
    let clock: sinon.SinonFakeTimers;
    beforeEach(() => {
      clock = sinon.useFakeTimers({
        now: 1_000_000,
        toFake: ["Date", "setTimeout", "clearTimeout", "setInterval", "clearInterval"],
      });
    });
    /** Lets requests that are under way come to their end, by the real clock. */
    const settled = async () => {
      for (
        let quiet = 0, last = -1;
        quiet < 20;
        quiet = asked.length + troubles.length === last ? quiet + 1 : 0
      ) {
        last = asked.length + troubles.length;
        for (let i = 0; i < 5; i++) await new Promise(setImmediate);
      }
    };
    const rounds = () => asked.filter((path) => path === DISCOVERY).length;

    it("when a token names one that is unknown, every 5 s at most", async () => {
      const cache = open();
      cache.start(600);
      await settled();
      assert.equal(rounds(), 1);
      cache.hint(issuer);
      cache.hint(issuer, "k2");
      await settled();
      assert.equal(rounds(), 1, "it has just been tried");
      await clock.tickAsync(5000);
      cache.hint(issuer, "k1");
      cache.hint("https://other.example");
      await settled();
      assert.equal(rounds(), 1, "the key is known; the issuer is nobody's");
      for (let i = 0; i < 10; i++) cache.hint(issuer, "k2");
      await settled();
      assert.equal(rounds(), 2);
    });

    it("regularly, until it is stopped", async () => {
      const cache = open();
      cache.start(60);
      await settled();
      for (let i = 0; i < 3; i++) {
        await clock.tickAsync(60_000);
        await settled();
      }
      assert.equal(rounds(), 4);
      cache.stop();
      await clock.tickAsync(600_000);
      await settled();
      assert.equal(rounds(), 4);
    });

    it("every 5 s while there are none at all, however often that was asked for, and until it is stopped", async () => {
      answers = {};
      const cache = open();
      cache.start(30);
      await settled();
      for (let second = 0; second < 120; second++) {
        await clock.tickAsync(1000);
        cache.hint(issuer, "k9");
        await settled();
      }
      assert.ok(rounds() <= 1 + 120 / 5 + 120 / 30, `${rounds()} times in two minutes`);
      const before = rounds();
      cache.stop();
      for (let second = 0; second < 20; second++) {
        await clock.tickAsync(1000);
        await settled();
      }
      assert.equal(rounds(), before);
    });
  });
});
