import assert from "node:assert/strict";
import { SallyportError } from "@sallyport/core/errors.ts";
import {
  HostMessage,
  helloStatement,
  MAX_LINK_MESSAGE,
  parseLinkMessage,
  ServerMessage,
} from "@sallyport/core/messages/host-link.ts";
import fc from "fast-check";

const session = `ses_${"0".repeat(26)}`;
const id = `evt_${"0".repeat(26)}`;
const event = {
  ...{
    id,
    at: 1,
    type: "login-refused",
    account: "root",
    sourceAddress: null,
    certificateSerial: null,
    memberId: null,
  },
  ...{
    issuer: null,
    subject: null,
    engagementId: null,
    sessionId: null,
    code: "revoked",
    detail: "",
    told: null,
  },
};

const fromHost = [
  {
    type: "hello",
    v: 1,
    hostId: `hst_${"0".repeat(26)}`,
    agentVersion: "1",
    signature: "s",
    bundleVersion: 0,
    revocationSequence: 0,
  },
  { type: "recording-query", recording: session },
  { type: "event", event },
  { type: "revocation-ack", sequence: 1, endedSessions: [session] },
  { type: "bundle-ack", version: 1 },
  { type: "heartbeat", liveSessions: [], spoolBytes: 0, clock: 1.5 },
];
const fromServer = [
  { type: "challenge", v: 1, server: "https://s.example", nonce: "n" },
  { type: "welcome", clock: 1.5 },
  { type: "bundle", jws: "a.b.c" },
  { type: "lease", jws: "a.b.c" },
  { type: "recording-offset", recording: session, nextSequence: 0, complete: false },
  { type: "recording-later", recording: session },
  { type: "recording-rejected", recording: session, sequence: 0, code: "x", message: "x" },
  { type: "event-ack", id },
  { type: "jwks-hint", issuer: "https://i.example", kid: "k" },
];

describe("a message on the host link", () => {
  for (const message of fromHost) {
    it(`is read: ${message.type} of a host`, () => {
      assert.deepEqual(parseLinkMessage(HostMessage, JSON.stringify(message)), message);
    });
  }
  for (const message of fromServer) {
    it(`is read: ${message.type} of the control plane, which no host may send`, () => {
      assert.deepEqual(parseLinkMessage(ServerMessage, JSON.stringify(message)), message);
      assert.throws(() => parseLinkMessage(HostMessage, JSON.stringify(message)), {
        code: "message-malformed",
      });
    });
  }

  const long = "x".repeat(2001);
  const rows: [what: string, text: string][] = [
    ["nothing", ""],
    ["no JSON", "{"],
    ["null", "null"],
    ["a list", "[]"],
    ["no type", "{}"],
    ["an unknown type", '{"type":"shutdown"}'],
    ["a type from the prototype", '{"type":"__proto__"}'],
    ["a member too many", JSON.stringify({ ...fromHost[4], x: 1 })],
    ["a member too few", '{"type":"bundle-ack"}'],
    ["a negative number", '{"type":"bundle-ack","version":-1}'],
    ["a number beyond all", '{"type":"bundle-ack","version":1e999}'],
    ["a path instead of a recording", '{"type":"recording-query","recording":"../../etc"}'],
    ["a detail without end", JSON.stringify({ type: "event", event: { ...event, detail: long } })],
    ["a list without end", JSON.stringify({ ...fromHost[3], endedSessions: Array(10_001).fill(session) })],
    ["deep nesting", `{"type":${"[".repeat(100_000)}${"]".repeat(100_000)}}`],
  ];
  for (const [what, text] of rows) {
    it(`is refused: ${what}`, () => {
      assert.throws(() => parseLinkMessage(HostMessage, text), {
        name: "SallyportError",
        code: "message-malformed",
      });
    });
  }

  it("is refused unread when it is longer than the limit", () => {
    const text = " ".repeat(MAX_LINK_MESSAGE + 1);
    assert.throws(() => parseLinkMessage(HostMessage, text), { code: "message-too-large" });
    assert.throws(() => parseLinkMessage(HostMessage, text.slice(1)), { code: "message-malformed" });
  });

  it("is refused in words fit for a log, though its own are not", () => {
    const evil = "\u001b]0;x\u0007\n";
    for (const value of [{ type: "bundle-ack", version: 1, [evil]: 1 }, { type: evil }]) {
      assert.throws(
        () => parseLinkMessage(HostMessage, JSON.stringify(value)),
        (error: SallyportError) => !/\p{Cc}/u.test(error.message) && error.message.length < 1000,
      );
    }
    const many = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`member-${index}`, 1]));
    assert.throws(
      () => parseLinkMessage(HostMessage, JSON.stringify({ ...fromHost[4], ...many })),
      (error: SallyportError) => error.message.length < 1000,
    );
  });

  it("never throws anything but our error, whatever the text", () => {
    const almost = fc.tuple(fc.constantFrom(...fromHost, ...fromServer), fc.string(), fc.jsonValue());
    const text = fc.oneof(
      fc.string(),
      fc.json(),
      almost.map(([message, name, value]) => JSON.stringify({ ...message, [name]: value })),
    );
    fc.assert(
      fc.property(text, fc.constantFrom(HostMessage, ServerMessage), (one, schema) => {
        try {
          parseLinkMessage<unknown>(schema, one);
        } catch (error) {
          assert.ok(error instanceof SallyportError);
          assert.doesNotMatch(error.message, /\p{Cc}/u);
        }
      }),
    );
  });
});

describe("what a host signs to sign in", () => {
  it("names server, host and nonce, and none can be taken for another", () => {
    assert.equal(
      Buffer.from(helloStatement("s", "h", "n")).toString(),
      'sallyport-host-link-v1\0["s","h","n"]',
    );
    assert.notDeepEqual(helloStatement('s","h', "x", "n"), helloStatement("s", 'h","x', "n"));
  });
});
