import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { listAuditEvents } from "@sallyport/control-plane/database/audit-events.ts";
import { dueThreshold } from "@sallyport/control-plane/notices/end-notices.ts";
import { NoticeSender } from "@sallyport/control-plane/notices/notice-sender.ts";
import { NoticesConfiguration } from "@sallyport/control-plane/notices/notices-configuration.ts";
import { type Notice, queueNotice } from "@sallyport/control-plane/notices/queue-notice.ts";
import { applyPolicy } from "@sallyport/control-plane/policy/apply-policy.ts";
import { extendEngagement } from "@sallyport/control-plane/policy/change-engagement.ts";
import { endEngagement } from "@sallyport/control-plane/policy/end-engagement.ts";
import { SMTPServer } from "smtp-server";
import { makeWorld, policyText, type World } from "../support/world.ts";

const DAY = 86_400;

interface Received {
  from: string;
  to: string[];
  user: unknown;
  secure: boolean;
  text: string;
}

/** A mail server with STARTTLS that wants a password. `refuse` answers every recipient with that reply code. */
async function startMailServer(directory: string) {
  const received: Received[] = [];
  const state = { refuse: 0 };
  const [key, cert] = [join(directory, "key.pem"), join(directory, "cert.pem")];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  const made = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
  execFileSync("openssl", ["req", ...made, "-keyout", key, "-out", cert, ...subject], { stdio: "ignore" });
  // The second would take passwords and mail in the clear, as somebody on the way would who takes STARTTLS away.
  const make = (withoutTls: boolean) =>
    new SMTPServer({
      key: readFileSync(key),
      cert: readFileSync(cert),
      ...(withoutTls && { disabledCommands: ["STARTTLS"], allowInsecureAuth: true }),
      onAuth: ({ username, password }, _session, done) =>
        username === "mailer" && password === "s3cret"
          ? done(null, { user: username })
          : done(new Error("no")),
      onRcptTo: (_address, _session, done) =>
        state.refuse === 0
          ? done()
          : done(Object.assign(new Error("refused"), { responseCode: state.refuse })),
      onData: (stream, session, done) => {
        const pieces: Buffer[] = [];
        stream.on("data", (piece: Buffer) => pieces.push(piece));
        stream.on("end", () => {
          const { mailFrom, rcptTo } = session.envelope;
          received.push({
            from: mailFrom === false ? "" : mailFrom.address,
            to: rcptTo.map(({ address }) => address),
            user: session.user,
            secure: session.secure,
            text: Buffer.concat(pieces).toString("utf8"),
          });
          done();
        });
      },
    });
  const servers = [make(false), make(true)] as const;
  const ports: number[] = [];
  for (const server of servers) {
    server.on("error", () => undefined);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
    ports.push((server.server.address() as AddressInfo).port);
  }
  const close = async () => {
    for (const server of servers) await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return { received, state, cert, port: ports[0] ?? 0, portWithoutTls: ports[1] ?? 0, close };
}

describe("notices", () => {
  let directory: string;
  let mail: Awaited<ReturnType<typeof startMailServer>>;
  let world: World;
  let hook: { server: Server; bodies: Record<string, unknown>[]; status: number };

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "sallyport-notices-"));
    mail = await startMailServer(directory);
    writeFileSync(join(directory, "password"), "s3cret\n", { mode: 0o600 });
    const server = createServer((request, response) => {
      const pieces: Buffer[] = [];
      request.on("data", (piece: Buffer) => pieces.push(piece));
      request.on("end", () => {
        hook.bodies.push(JSON.parse(Buffer.concat(pieces).toString()));
        response.writeHead(hook.status).end();
      });
    });
    hook = { server, bodies: [], status: 204 };
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  after(async () => {
    await mail.close();
    hook.server.closeAllConnections();
    await new Promise((resolve) => hook.server.close(resolve));
    rmSync(directory, { recursive: true, force: true });
  });
  beforeEach(async () => {
    world = await makeWorld();
    mail.received.length = 0;
    mail.state.refuse = 0;
    hook.bodies.length = 0;
    hook.status = 204;
  });
  afterEach(() => world.db.destroy());

  const smtp = (changes: object = {}) => ({
    ...{ host: "localhost", port: mail.port, caFile: mail.cert, from: "sallyport@corp.test" },
    ...{ user: "mailer", passwordFile: join(directory, "password"), ...changes },
  });
  const sender = (config: object = {}) => {
    const { port } = hook.server.address() as AddressInfo;
    const parsed = NoticesConfiguration.parse({
      ...{ smtp: smtp(), webhook: { url: `http://127.0.0.1:${port}/` }, ...config },
    });
    return new NoticeSender({ ...world, config: parsed, url: "https://sallyport.corp.test" });
  };
  const apply = (text: string) => applyPolicy(world.db, world.environment, { text, file: "p" });
  const ending = (end: string) =>
    policyText("    sponsor: erin@corp.test\n")
      .replace("2090-01-01", end)
      .replace("2026-01-01", "2020-01-01");
  const at = (time: string) => {
    world.time.now = Date.parse(time) / 1000;
  };
  const recipients = () => mail.received.flatMap(({ to }) => to).sort();
  const notice = (changes: Partial<Notice> = {}): Notice => ({
    ...{ key: "k", kind: "test", about: "x", to: ["a@corp.test"], subject: "S", text: "T", data: {} },
    ...{ goodUntil: world.time.now + 30 * DAY, ...changes },
  });

  it("of an invitation tell the member what to run", async () => {
    await apply(policyText());
    await sender().run();
    const [only, ...others] = mail.received;
    assert.deepEqual(
      [only?.from, only?.to, only?.user, only?.secure, others],
      ["sallyport@corp.test", ["dana@vendor.test"], "mailer", true, []],
    );
    assert.match(only?.text ?? "", /^ {2}sallyport login --server https:\/\/sallyport\.corp\.test\r$/m);
    assert.match(only?.text ?? "", /^Content-Type: text\/plain; charset=utf-8\r$/m);
    assert.doesNotMatch(only?.text ?? "", /html/i);
    await sender().run();
    assert.equal(mail.received.length, 1);
  });

  it("before an end go to sponsor and members once for each threshold, and once to the webhook", async () => {
    at("2027-03-01T00:00:00Z");
    await apply(ending("2027-03-20"));
    await sender().run();
    mail.received.length = hook.bodies.length = 0;
    for (const time of [
      "2027-03-12T23:00:00Z",
      "2027-03-13T00:00:00Z",
      "2027-03-14T00:00:00Z",
      "2027-03-18T00:00:00Z",
    ]) {
      at(time);
      // Another process each time: what was sent is known after a restart.
      await sender().run();
    }
    assert.deepEqual(recipients(), ["dana@vendor.test", "erin@corp.test"]);
    assert.equal(hook.bodies.length, 1);
    assert.deepEqual(hook.bodies[0]?.type, "engagement-ends");
    assert.equal((hook.bodies[0]?.data as { days: number } | undefined)?.days, 7);
    at("2027-03-19T12:00:00Z");
    await sender().run();
    await sender().run();
    assert.equal(mail.received.length, 4);
    const sent = (await listAuditEvents(world.db, 100)).filter(({ type }) => type === "notice-sent");
    assert.equal(sent.length, 1 + 1 + 2 * 3);
  });

  it("are said again for another end, and what was not sent for the old one is not sent any more", async () => {
    at("2027-03-01T00:00:00Z");
    await apply(ending("2027-03-20"));
    at("2027-03-14T00:00:00Z");
    const away = smtp({ port: 1 });
    await sender({ smtp: away }).run();
    const until = Date.parse("2027-04-20") / 1000;
    await extendEngagement(world, { nameOrId: "web-work", until }, { by: "x", why: "" });
    at("2027-03-14T08:00:00Z");
    await sender().run();
    assert.deepEqual(
      mail.received.filter(({ text }) => text.includes("ends on")),
      [],
    );
    at("2027-04-14T00:00:00Z");
    await sender().run();
    assert.equal(
      mail.received.filter(({ text }) => /Subject: Engagement web-work ends on 2027-04-20/.test(text)).length,
      2,
    );
    await endEngagement(world, { nameOrId: "web-work", by: "x", reason: "" });
    at("2027-04-19T12:00:00Z");
    const before = mail.received.length;
    await sender().run();
    assert.equal(mail.received.length, before);
  });

  it("wait for a mail server that is away, with longer and longer pauses", async () => {
    await queueNotice(world.db, world.environment, notice());
    await sender({ smtp: smtp({ port: 1 }) }).run();
    const waits: number[] = [];
    for (let attempt = 0; attempt < 4; attempt++) {
      const row = await world.db
        .selectFrom("notices")
        .selectAll()
        .where("channel", "=", "mail")
        .executeTakeFirstOrThrow();
      waits.push(row.next_attempt_at - world.time.now);
      world.time.now = row.next_attempt_at;
      await sender({ smtp: smtp({ port: 1 }) }).run();
    }
    assert.deepEqual(waits, [120, 180, 300, 540]);
    world.time.now += 6 * 3600;
    await sender().run();
    assert.deepEqual(recipients(), ["a@corp.test"]);
  });

  it("are given up when the server will never take them, or when nobody is served by them any more", async () => {
    mail.state.refuse = 550;
    await queueNotice(world.db, world.environment, notice());
    await queueNotice(
      world.db,
      world.environment,
      notice({ key: "old", to: ["b@corp.test"], goodUntil: world.time.now }),
    );
    await sender().run();
    const outcomes = await world.db.selectFrom("notices").select(["key", "outcome"]).orderBy("key").execute();
    assert.deepEqual(outcomes, [
      { key: "test/k/mail/a@corp.test", outcome: "given up" },
      { key: "test/k/webhook/", outcome: "sent" },
      { key: "test/old/mail/b@corp.test", outcome: "no longer of use" },
      { key: "test/old/webhook/", outcome: "no longer of use" },
    ]);
    assert.deepEqual(mail.received, []);
  });

  it("are sent by one of two replicas", async () => {
    await queueNotice(world.db, world.environment, notice());
    await Promise.all([sender().run(), sender().run()]);
    assert.deepEqual([mail.received.length, hook.bodies.length], [1, 1]);
  });

  it("cannot be given headers or recipients by the names in them", async () => {
    const evil = "x\r\nBcc: eve@evil.test\r\nX-Evil: 1\r\n\r\nbody";
    const to = [
      "a@corp.test",
      "b@corp.test, eve@evil.test",
      "c@corp.test\r\nBcc: eve@evil.test",
      "<eve@evil.test>",
    ];
    await queueNotice(world.db, world.environment, notice({ to, subject: evil, text: evil }));
    await sender().run();
    assert.deepEqual(recipients(), ["a@corp.test"]);
    const [head = ""] = (mail.received[0]?.text ?? "").split("\r\n\r\n");
    assert.match(head, /^Subject: x Bcc: eve@evil\.test X-Evil: 1 body\r$/m);
    assert.doesNotMatch(head, /^(Bcc|X-Evil|Cc):/im);
    assert.match(head, /^To: a@corp\.test\r$/m);
  });

  it("go nowhere without TLS where TLS was asked for, to a server with another certificate, or without the password", async () => {
    writeFileSync(join(directory, "wrong"), "wrong\n");
    for (const [key, changes] of Object.entries({
      plain: { port: mail.portWithoutTls },
      stranger: { caFile: null },
      password: { passwordFile: join(directory, "wrong") },
    })) {
      await queueNotice(world.db, world.environment, notice({ key }));
      await sender({ smtp: smtp(changes) }).run();
      assert.deepEqual(mail.received, [], key);
    }
  });

  it("are due by the last threshold that has passed, never by one longer than the engagement", () => {
    const three = { start: 0, end: 3 * DAY };
    assert.equal(dueThreshold(three, [7, 1], 0), undefined);
    assert.equal(dueThreshold(three, [7, 1], 2 * DAY), 1);
    const long = { start: 0, end: 30 * DAY };
    assert.equal(dueThreshold(long, [7, 1], 22 * DAY), undefined);
    assert.equal(dueThreshold(long, [7, 1], 23 * DAY), 7);
    assert.equal(dueThreshold(long, [1, 7], 29 * DAY), 1);
    assert.equal(dueThreshold(long, [], 29 * DAY), undefined);
  });

  it("are configured so that mail is not read on the way", () => {
    const refused = (changes: object) =>
      !NoticesConfiguration.safeParse({ smtp: { ...smtp(), ...changes } }).success;
    assert.equal(refused({}), false);
    assert.equal(refused({ host: "mail.corp.test", tls: "none" }), true);
    assert.equal(refused({ tls: "none" }), false);
    assert.equal(refused({ passwordFile: null }), true);
    assert.equal(refused({ from: "a@b.test\r\nBcc: c@d.test" }), true);
    assert.equal(refused({ host: "mail\r\n.test" }), true);
  });
});
