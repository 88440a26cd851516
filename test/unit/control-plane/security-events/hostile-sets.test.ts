import assert from "node:assert/strict";
import { createSecretKey, generateKeyPairSync } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { listAuditEvents } from "@sallyport/control-plane/database/audit-events.ts";
import { listRevocations } from "@sallyport/control-plane/database/revocations.ts";
import { SetError, type SetErrorCode } from "@sallyport/control-plane/security-events/set-error.ts";
import { isSallyportError } from "@sallyport/core/errors.ts";
import {
  CAEP,
  encode,
  makeSetWorld,
  OTHER,
  OWN,
  RISC,
  SESSION_REVOKED,
  type SetWorld,
  SSF,
  signed,
  URL_HERE,
} from "../support/set-world.ts";

const TYP = { typ: "secevent+jwt", alg: "RS256", kid: "rsa" };
const DANA = { format: "iss_sub", iss: OWN, sub: "dana" };
const event = (body: unknown, type = SESSION_REVOKED) => ({ [type]: body });

/** Each is answered with this code, and nothing comes of it. */
const TABLE: [what: string, code: SetErrorCode, make: (world: SetWorld) => string][] = [
  // What it is
  ["nothing", "invalid_request", () => ""],
  ["no token", "invalid_request", () => "hello"],
  ["two parts", "invalid_request", ({ set }) => set().split(".").slice(0, 2).join(".")],
  ["four parts", "invalid_request", ({ set }) => `${set()}.e30`],
  ["five parts, as when encrypted", "invalid_request", ({ set }) => `${set()}.e30.e30`],
  ["a line's end behind it", "invalid_request", ({ set }) => `${set()}\n`],
  [
    "the JSON serialisation",
    "invalid_request",
    ({ set }) => {
      const [header, payload, signature] = set().split(".");
      return JSON.stringify({ payload, signatures: [{ protected: header, signature }] });
    },
  ],
  ["base64 that is not base64url", "invalid_request", ({ set }) => set().replace(".", "=.")],
  [
    "another spelling of the payload's last bits",
    "invalid_request",
    ({ set }) => {
      const pads = ["", "x", "xx"].map((pad) => set({ pad }).split("."));
      // Of the last character of a multiple of three bytes and one more, four bits are of no byte.
      const [header, payload = "", signature] = pads.find(([, one = ""]) => one.length % 4 === 2) ?? [];
      const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
      return `${header}.${payload.slice(0, -1)}${digits[digits.indexOf(payload.at(-1) ?? "") + 1]}.${signature}`;
    },
  ],
  ["a token that is too long", "invalid_request", ({ set }) => set({ pad: "x".repeat(65_536) })],
  ["a header that is not JSON", "invalid_request", ({ keys }) => signed("{", {}, keys.rsa.privateKey)],
  [
    "a payload that is not UTF-8",
    "invalid_request",
    () => `${encode(TYP)}.${Buffer.from([0x22, 0xff, 0x22]).toString("base64url")}.AA`,
  ],
  ["a payload that is a list", "invalid_request", ({ keys }) => signed(TYP, [], keys.rsa.privateKey)],
  [
    "a claim that is there twice",
    "invalid_request",
    ({ keys, set }) => {
      const payload = Buffer.from(set().split(".")[1] ?? "", "base64url").toString();
      return signed(TYP, payload.replace("{", `{"iss":"${OTHER}",`), keys.rsa.privateKey);
    },
  ],
  [
    "a claim that is there twice, once with an escape",
    "invalid_request",
    ({ keys, set }) => {
      const payload = Buffer.from(set().split(".")[1] ?? "", "base64url").toString();
      return signed(TYP, payload.replace("{", `{"\\u0061ud":"${OTHER}",`), keys.rsa.privateKey);
    },
  ],
  [
    "a member of the subject that is there twice",
    "invalid_request",
    ({ keys, set }) => {
      const payload = Buffer.from(set().split(".")[1] ?? "", "base64url").toString();
      return signed(TYP, payload.replace('"sub":', '"sub":"otto","sub":'), keys.rsa.privateKey);
    },
  ],
  [
    "a header parameter that is there twice",
    "invalid_request",
    ({ keys }) => signed(`{"alg":"none","typ":"secevent+jwt","alg":"RS256"}`, {}, keys.rsa.privateKey),
  ],
  // Its header
  ["no typ", "invalid_request", ({ set }) => set({}, { typ: undefined })],
  ["typ JWT, as ID tokens have", "invalid_request", ({ set }) => set({}, { typ: "JWT" })],
  ["a logout token", "invalid_request", ({ set }) => set({}, { typ: "logout+jwt" })],
  ["an access token", "invalid_request", ({ set }) => set({}, { typ: "at+jwt" })],
  ["a typ that only begins like it", "invalid_request", ({ set }) => set({}, { typ: "secevent+jwt; x" })],
  ["crit", "invalid_request", ({ set }) => set({}, { crit: ["exp"] })],
  ["b64 false", "invalid_request", ({ set }) => set({}, { b64: false, crit: ["b64"] })],
  ["a token in a token", "invalid_request", ({ set }) => set({}, { cty: "JWT" })],
  ["a compressed one", "invalid_request", ({ set }) => set({}, { zip: "DEF" })],
  ["a kid that is no text", "invalid_request", ({ set }) => set({}, { kid: { toString: "rsa" } })],
  // Its signature
  [
    "alg none",
    "invalid_key",
    ({ set }) => {
      const payload = Buffer.from(set().split(".")[1] ?? "", "base64url").toString();
      return signed({ ...TYP, alg: "none" }, payload, "none");
    },
  ],
  ["alg NONE with a signature", "invalid_key", ({ set }) => set({}, { alg: "NONE" })],
  [
    "HS256 with the public key as the secret",
    "invalid_key",
    ({ set, keys }) => {
      const payload = Buffer.from(set().split(".")[1] ?? "", "base64url").toString();
      const pem = keys.rsa.publicKey.export({ format: "pem", type: "spki" });
      return signed({ ...TYP, alg: "HS256" }, payload, createSecretKey(Buffer.from(pem)));
    },
  ],
  ["an algorithm that is not configured", "invalid_key", ({ set }) => set({}, { alg: "PS256" })],
  ["an unknown kid", "invalid_key", ({ set }) => set({}, { kid: "unknown" })],
  ["a kid that is a path", "invalid_key", ({ set }) => set({}, { kid: "../../../../dev/null" })],
  ["a kid that is SQL", "invalid_key", ({ set }) => set({}, { kid: "rsa' or '1'='1" })],
  ["a kid of a key of another kind", "invalid_key", ({ set }) => set({}, { kid: "ec" })],
  ["no signature", "authentication_failed", ({ set }) => set().replace(/[^.]*$/, "")],
  [
    "a signature of something else",
    "authentication_failed",
    ({ set }) => `${set().replace(/[^.]*$/, "")}${set({ jti: "2" }).split(".")[2]}`,
  ],
  [
    "another key under a known kid",
    "authentication_failed",
    ({ set }) => {
      const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
      const payload = Buffer.from(set().split(".")[1] ?? "", "base64url").toString();
      return signed(TYP, payload, privateKey);
    },
  ],
  [
    "its own key in jwk, and jku and x5u that lead elsewhere",
    "authentication_failed",
    ({ set }) => {
      const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
      const payload = Buffer.from(set().split(".")[1] ?? "", "base64url").toString();
      const jwk = publicKey.export({ format: "jwk" });
      const header = { ...TYP, jwk, jku: "https://evil.test/jwks", x5u: "https://evil.test/x5u" };
      return signed(header, payload, privateKey);
    },
  ],
  [
    "one IdP's key for another's token",
    "invalid_key",
    ({ keys, set }) => {
      const payload = Buffer.from(set().split(".")[1] ?? "", "base64url").toString();
      return signed({ ...TYP, kid: "others" }, payload, keys.others.privateKey);
    },
  ],
  // Its claims
  ["no iss", "invalid_request", ({ set }) => set({ iss: undefined })],
  ["an issuer that nobody configured", "invalid_issuer", ({ set }) => set({ iss: "https://evil.test" })],
  ["the issuer with a slash", "invalid_issuer", ({ set }) => set({ iss: `${OWN}/` })],
  ["no aud", "invalid_request", ({ set }) => set({ aud: undefined })],
  ["an aud of somebody else", "invalid_audience", ({ set }) => set({ aud: "https://else.test" })],
  ["the command line's client as aud", "invalid_audience", ({ set }) => set({ aud: "sallyport-cli" })],
  ["auds without us", "invalid_audience", ({ set }) => set({ aud: [`${URL_HERE}/`, "x"] })],
  ["no aud in a list", "invalid_request", ({ set }) => set({ aud: [] })],
  ["no iat", "invalid_request", ({ set }) => set({ iat: undefined })],
  ["an iat in text", "invalid_request", ({ set }) => set({ iat: "1" })],
  ["an iat of eight days ago", "invalid_request", ({ set, time }) => set({ iat: time.now - 8 * 86_400 })],
  ["an iat in the future", "invalid_request", ({ set, time }) => set({ iat: time.now + 300 })],
  ["an iat in milliseconds", "invalid_request", ({ set, time }) => set({ iat: time.now * 1000 })],
  ["an nbf in the future", "invalid_request", ({ set, time }) => set({ nbf: time.now + 300 })],
  ["an exp that is over", "invalid_request", ({ set, time }) => set({ exp: time.now - 300 })],
  ["a toe after the iat", "invalid_request", ({ set, time }) => set({ toe: time.now + 300 })],
  ["no jti", "invalid_request", ({ set }) => set({ jti: undefined })],
  ["an empty jti", "invalid_request", ({ set }) => set({ jti: "" })],
  ["a jti with U+0000", "invalid_request", ({ set }) => set({ jti: "a\0b" })],
  ["a jti that is too long", "invalid_request", ({ set }) => set({ jti: "j".repeat(300) })],
  ["a nonce, as ID tokens have", "invalid_request", ({ set }) => set({ nonce: "n" })],
  ["an auth_time, as ID tokens have", "invalid_request", ({ set }) => set({ auth_time: 1 })],
  // Its events
  ["no events", "invalid_request", ({ set }) => set({ events: undefined })],
  ["events that are empty", "invalid_request", ({ set }) => set({ events: {} })],
  ["events in a list", "invalid_request", ({ set }) => set({ events: [SESSION_REVOKED] })],
  ["an event that is text", "invalid_request", ({ set }) => set({ events: event("x") })],
  ["an event that is a list", "invalid_request", ({ set }) => set({ events: event([]) })],
  [
    "events without end",
    "invalid_request",
    ({ set }) => set({ events: Object.fromEntries(Array.from({ length: 11 }, (_, n) => [`urn:${n}`, {}])) }),
  ],
  [
    "a credential change of no kind",
    "invalid_request",
    ({ set }) => set({ events: event({}, `${CAEP}credential-change`) }),
  ],
  [
    "a credential change by a name of Object",
    "invalid_request",
    ({ set }) => set({ events: event({ change_type: "constructor" }, `${CAEP}credential-change`) }),
  ],
  [
    "a device that is neither compliant nor not",
    "invalid_request",
    ({ set }) => set({ events: event({ current_status: "maybe" }, `${CAEP}device-compliance-change`) }),
  ],
  [
    "a verification that nobody asked for",
    "invalid_state",
    ({ set }) => set({ events: event({ state: "x" }, `${SSF}verification`) }),
  ],
  [
    "a stream in a state that there is not",
    "invalid_request",
    ({ set }) => set({ events: event({ status: "x" }, `${SSF}stream-updated`) }),
  ],
  // Whom it is about
  ["nobody", "invalid_request", ({ set }) => set({ sub_id: undefined })],
  ["a subject that is text", "invalid_request", ({ set }) => set({ sub_id: "dana" })],
  ["a subject that is null", "invalid_request", ({ set }) => set({ sub_id: null })],
  ["iss_sub without sub", "invalid_request", ({ set }) => set({ sub_id: { format: "iss_sub", iss: OWN } })],
  ["a sub with U+0000", "invalid_request", ({ set }) => set({ sub_id: { ...DANA, sub: "dana\0" } })],
  [
    "somebody of another IdP",
    "access_denied",
    ({ set }) => set({ sub_id: { format: "iss_sub", iss: OTHER, sub: "otto" } }),
  ],
  [
    "somebody of another IdP, disabled",
    "access_denied",
    ({ set }) =>
      set({ sub_id: { ...DANA, iss: OTHER, sub: "otto" }, events: event({}, `${RISC}account-disabled`) }),
  ],
  [
    "somebody of another IdP as the user of a complex subject",
    "access_denied",
    ({ set }) => set({ sub_id: { format: "complex", user: { ...DANA, iss: OTHER, sub: "otto" } } }),
  ],
  [
    "somebody of another IdP in the event, as before SSF 1.0",
    "access_denied",
    ({ set }) =>
      set({
        sub_id: undefined,
        events: event({ subject: { subject_type: "iss-sub", iss: OTHER, sub: "otto" } }),
      }),
  ],
  [
    "somebody of another IdP by aliases",
    "access_denied",
    ({ set }) => set({ sub_id: { format: "aliases", identifiers: [{ ...DANA, iss: OTHER, sub: "otto" }] } }),
  ],
  [
    "two people",
    "invalid_request",
    ({ set }) => set({ events: event({ subject: { ...DANA, sub: "other" } }) }),
  ],
  ["two people, one in sub", "invalid_request", ({ set }) => set({ sub: "otto" })],
  ["a did", "invalid_request", ({ set }) => set({ sub_id: { format: "did", url: "did:example:1" } })],
  ["a uri", "invalid_request", ({ set }) => set({ sub_id: { format: "uri", uri: "https://x.test/1" } })],
  [
    "a telephone",
    "invalid_request",
    ({ set }) => set({ sub_id: { format: "phone_number", phone_number: "+1" } }),
  ],
  ["no aliases", "invalid_request", ({ set }) => set({ sub_id: { format: "aliases", identifiers: [] } })],
  [
    "aliases in aliases",
    "invalid_request",
    ({ set }) =>
      set({ sub_id: { format: "aliases", identifiers: [{ format: "aliases", identifiers: [DANA] }] } }),
  ],
  [
    "only a device",
    "invalid_request",
    ({ set }) => set({ sub_id: { format: "complex", device: { format: "opaque", id: "d" } } }),
  ],
  [
    "an account that is no acct: URI",
    "invalid_request",
    ({ set }) => set({ sub_id: { format: "account", uri: "https://x.test" } }),
  ],
];

async function nothingCameOfIt(world: SetWorld): Promise<void> {
  assert.deepEqual(await listRevocations(world.db), []);
  assert.deepEqual(world.announced, []);
  assert.deepEqual(await world.db.selectFrom("received_security_events").selectAll().execute(), []);
  assert.deepEqual(await world.db.selectFrom("identity_states").selectAll().execute(), []);
}

describe("malformed and hostile SETs", () => {
  let world: SetWorld;
  // One for all, as nothing comes of any.
  before(async () => {
    world = await makeSetWorld();
  });
  after(() => world.db.destroy());

  for (const [what, code, make] of TABLE) {
    it(`${what}: ${code}`, async () => {
      await assert.rejects(world.receive(make(world)), (error) => {
        assert.ok(error instanceof SetError, String(error));
        assert.equal(error.code, code);
        assert.match(error.message, /^[A-Z][^\n]{10,300}\.$/);
        return true;
      });
      await nothingCameOfIt(world);
    });
  }

  it("but for what is wrong with each, it would have ended her sessions", async () => {
    await world.receive(world.set());
    assert.equal((await listRevocations(world.db)).length, 1);
  });
});

describe("SETs of which nothing comes, or once", () => {
  let world: SetWorld;
  beforeEach(async () => {
    world = await makeSetWorld();
  });
  afterEach(() => world.db.destroy());

  const UNKNOWN: [what: string, claims: Record<string, unknown>][] = [
    ["a subject that nobody has here", { sub_id: { ...DANA, sub: "nobody" } }],
    ["another IdP's subject, as this IdP's own", { sub_id: { ...DANA, sub: "otto" } }],
    ["an opaque id of another IdP", { sub_id: { format: "opaque", id: "otto" } }],
    ["an e-mail that is pinned at another IdP", { sub_id: { format: "email", email: "otto@vendor.test" } }],
    [
      "an account that is pinned at another IdP",
      { sub_id: { format: "account", uri: "acct:otto@vendor.test" } },
    ],
    [
      "a session that nobody signed in from",
      { sub_id: { format: "complex", session: { format: "opaque", id: "s" } } },
    ],
    ["a type that nobody knows", { events: event({}, "urn:unknown") }],
    ["a type by a name of Object", { events: event({}, "constructor") }],
  ];
  for (const [what, claims] of UNKNOWN) {
    it(`${what}: taken, and nothing comes of it`, async () => {
      await world.receive(world.set(claims));
      assert.deepEqual(await listRevocations(world.db), []);
      assert.deepEqual(await listAuditEvents(world.db, 10), []);
    });
  }

  it("a jti counts once at each IdP, whatever else is in the token", async () => {
    await world.receive(world.set());
    await world.receive(world.set());
    await world.receive(world.set({ events: event({}, `${RISC}account-disabled`) }));
    assert.deepEqual(
      (await listRevocations(world.db)).map(({ before }) => before === null),
      [false],
    );
    const payload = {
      ...{ iss: OTHER, aud: URL_HERE, iat: world.time.now, jti: "jti-1" },
      sub_id: { format: "iss_sub", iss: OTHER, sub: "otto" },
      events: event({}),
    };
    await world.receive(signed({ ...TYP, kid: "others" }, payload, world.keys.others.privateKey));
    assert.equal((await listRevocations(world.db)).length, 2, "the same jti of another IdP is another token");
  });

  it("a jti is remembered for as long as its token would be taken", async () => {
    const iat = world.time.now - 1;
    await world.receive(world.set({ iat }));
    world.time.now += 604_800 - 2;
    await world.receive(world.set({ iat }));
    assert.equal((await listRevocations(world.db)).length, 1);
    world.time.now += 62;
    await assert.rejects(world.receive(world.set({ iat })), { code: "invalid_request" });
  });

  it("a refused token may come again corrected under its jti", async () => {
    await assert.rejects(world.receive(world.set({ aud: "x" })));
    await world.receive(world.set());
    assert.equal((await listRevocations(world.db)).length, 1);
  });

  it("one of two events that is refused takes the other with it", async () => {
    const events = { [SESSION_REVOKED]: {}, [`${CAEP}credential-change`]: {} };
    await assert.rejects(world.receive(world.set({ events })), { code: "invalid_request" });
    await nothingCameOfIt(world);
  });

  it("an unknown key is asked for again later, while the keys are of before the token came", async () => {
    const { keysFor } = world.needs.keys;
    world.needs.keys = {
      keysFor: async (transmitter, kid) => ({ ...(await keysFor(transmitter, kid)), isFresh: false }),
    };
    await assert.rejects(world.receive(world.set({}, { kid: "new" })), (error) =>
      isSallyportError(error, "issuer-unreachable"),
    );
  });

  it("what nobody signed is not in the audit log, and what the IdP signed is", async () => {
    await assert.rejects(world.receive(world.set().replace(/[^.]*$/, "AA")));
    assert.deepEqual(await listAuditEvents(world.db, 10), []);
    await assert.rejects(world.receive(world.set({ aud: "x" })));
    const [refused] = await listAuditEvents(world.db, 10);
    assert.equal(refused?.type, "idp-notice-refused");
    assert.match(refused?.data_json ?? "", /"code":"invalid_audience".*"jti":"jti-1"/);
  });
});

describe("who may push", () => {
  const tokenFile = `${process.env.TMPDIR ?? "/tmp"}/sallyport-push-token-${process.pid}`;
  let world: SetWorld;
  afterEach(() => world.db.destroy());
  after(() => rmSync(tokenFile, { force: true }));

  it("only with the header that was agreed on", async () => {
    writeFileSync(tokenFile, "Bearer 0123456789abcdef\n", { mode: 0o600 });
    world = await makeSetWorld({ push: { tokenFile } });
    for (const header of [undefined, "", "Bearer 0123456789abcdeX", "Bearer", "bearer 0123456789abcdef"])
      await assert.rejects(world.receive(world.set(), header), { code: "authentication_failed" });
    assert.deepEqual(await listRevocations(world.db), []);
    await world.receive(world.set(), "Bearer 0123456789abcdef");
    assert.equal((await listRevocations(world.db)).length, 1);
  });

  it("nobody, where tokens are polled", async () => {
    world = await makeSetWorld({ poll: { url: "https://idp.test/poll" } });
    await assert.rejects(world.receive(world.set()), { code: "access_denied" });
  });

  it("nobody, where the file cannot be read", async () => {
    world = await makeSetWorld({ push: { tokenFile: "/nonexistent/file" } });
    await assert.rejects(world.receive(world.set(), ""), (error) =>
      isSallyportError(error, "config-invalid"),
    );
  });
});
