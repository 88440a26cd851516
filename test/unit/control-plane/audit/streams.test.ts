import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { audit } from "@sallyport/control-plane/audit/audit.ts";
import { AuditStreams } from "@sallyport/control-plane/audit/streams/audit-streams.ts";
import { AuditStream } from "@sallyport/control-plane/audit/streams/stream-configuration.ts";
import { webhookSignature } from "@sallyport/control-plane/outgoing/webhook.ts";
import { until } from "../../../../demo/light-host/until.ts";
import { makeWorld, type World } from "../support/world.ts";
import { selfSigned } from "./certificate.ts";

const PATIENCE = 15_000;

describe("streams of the audit log", () => {
  let world: World;
  let directory: string;
  const running: AuditStreams[] = [];

  beforeEach(async () => {
    world = await makeWorld();
    directory = mkdtempSync(join(tmpdir(), "sallyport-streams-"));
  });
  afterEach(async () => {
    for (const streams of running.splice(0)) await streams.close();
    await world.db.destroy();
    rmSync(directory, { recursive: true, force: true });
  });

  const stream = (...configured: unknown[]): AuditStreams => {
    const streams = new AuditStreams(
      world,
      configured.map((one) => AuditStream.parse(one)),
    );
    running.push(streams);
    streams.start();
    return streams;
  };
  const happen = async (count: number, actor = "dana"): Promise<void> => {
    for (let i = 0; i < count; i++)
      await audit(world.db, world.environment, { type: "signed-in", actor, data: { text: "a\nb \u2028é" } });
  };
  const linesOf = (file: string): { index: number; actor: string }[] =>
    existsSync(file)
      ? readFileSync(file, "utf8")
          .split("\n")
          .flatMap((line) => (line.endsWith("}") ? [JSON.parse(line)] : []))
      : [];
  const indexes = (events: readonly { index: number }[]) => [...new Set(events.map(({ index }) => index))];
  const count = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);
  const seen = async (condition: () => boolean, what: string): Promise<void> => {
    assert.ok(await until(condition, PATIENCE), what);
  };

  describe("to a file", () => {
    const configured = () => ({ name: "file", type: "json-lines", file: join(directory, "audit.jsonl") });

    it("has every event, in order, once, over a restart and a renamed file", async () => {
      const { file } = configured();
      await happen(3);
      const first = stream(configured());
      await seen(() => linesOf(file).length === 3, "the first events");
      await first.close();
      renameSync(file, `${file}.1`);
      await happen(2);
      stream(configured());
      await seen(() => linesOf(file).length === 2, "the later events");
      assert.deepEqual(indexes([...linesOf(`${file}.1`), ...linesOf(file)]), count(0, 5));
    });

    it("waits for a directory that is not there, and begins on a line of its own after a torn one", async () => {
      const file = join(directory, "later", "audit.jsonl");
      await happen(2);
      stream({ ...configured(), file });
      await new Promise((resolve) => setImmediate(resolve));
      mkdirSync(join(directory, "later"));
      writeFileSync(file, '{"index":0,"id":"evt');
      await seen(() => linesOf(file).length === 2, "events after the torn line");
      assert.deepEqual(indexes(linesOf(file)), [0, 1]);
    });

    it("is written by one replica at a time, and taken over when that one stops", async () => {
      const { file } = configured();
      const streams = [stream(configured()), stream(configured()), stream(configured())];
      await happen(20);
      await seen(() => linesOf(file).length >= 20, "all events");
      await streams[0]?.close();
      await streams[1]?.close();
      await happen(5);
      await seen(() => linesOf(file).length >= 25, "events after the others stopped");
      assert.deepEqual(
        linesOf(file).map(({ index }) => index),
        count(0, 25),
      );
    });
  });

  describe("to a webhook", () => {
    let server: Server;
    let answers: number[];
    const batches: { id: string; indexes: number[]; isSigned: boolean }[] = [];
    const secret = "0123456789abcdef0123456789abcdef";

    beforeEach(async () => {
      answers = [];
      batches.length = 0;
      server = createServer(async (request, response) => {
        const body = Buffer.concat(await request.toArray()).toString("utf8");
        const id = String(request.headers["webhook-id"]);
        const at = Number(request.headers["webhook-timestamp"]);
        const isSigned =
          request.headers["webhook-signature"] === webhookSignature(Buffer.from(secret), { id, at }, body);
        batches.push({
          id,
          isSigned,
          indexes: JSON.parse(body).events.map((event: { index: number }) => event.index),
        });
        response.writeHead(answers.shift() ?? 204).end();
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      writeFileSync(join(directory, "secret"), `${secret}\n`);
    });
    afterEach(() => server.close());
    const configured = () => ({
      name: "hook",
      type: "webhook",
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
      secretFile: join(directory, "secret"),
    });

    it("sends what was refused again, the same under the same id, and leaves nothing out", async () => {
      answers = [500, 204];
      await happen(3);
      stream(configured());
      await seen(() => batches.length >= 2, "a second attempt");
      assert.deepEqual(batches[1], batches[0]);
      assert.deepEqual(batches[0], { id: "audit-0-2", indexes: [0, 1, 2], isSigned: true });
      await happen(1);
      await seen(() => batches.length >= 3, "the next event");
      assert.deepEqual(batches[2]?.indexes, [3]);
    });

    it("does not hold up another stream", async () => {
      answers = Array.from({ length: 100 }, () => 503);
      const file = join(directory, "audit.jsonl");
      stream(configured(), { name: "file", type: "json-lines", file });
      await happen(4);
      await seen(() => linesOf(file).length === 4, "the file's events");
    });
  });

  describe("to syslog", () => {
    const rsyslog = async (port: number) => {
      const [config, out, portFile] = ["conf", "out", "port"].map((name) => join(directory, name)) as [
        string,
        string,
        string,
      ];
      writeFileSync(
        config,
        `global(workDirectory="${directory}" maxMessageSize="64k")
module(load="imtcp")
template(name="all" type="string" string="%pri% %app-name% %msgid% %protocol-version% %msg%\\n")
input(type="imtcp" port="${port}" address="127.0.0.1" listenPortFileName="${portFile}")
action(type="omfile" file="${out}" template="all" flushOnTXEnd="on" asyncWriting="off")
`,
      );
      rmSync(portFile, { force: true });
      const child = spawn("rsyslogd", ["-n", "-f", config, "-i", join(directory, `pid-${port}`)], {
        stdio: "ignore",
      });
      // It writes the file only when it chose the port itself.
      if (port !== 0) return { child, out, port };
      await seen(() => existsSync(portFile) && readFileSync(portFile, "utf8") !== "", "rsyslogd");
      return { child, out, port: Number(readFileSync(portFile, "utf8")) };
    };
    const received = (out: string) =>
      (existsSync(out) ? readFileSync(out, "utf8") : "").split("\n").flatMap((line) => {
        const [, head, json = ""] = /^(\d+ \S+ \S+ \d+) ?(\{.*\})$/.exec(line) ?? [];
        return head === undefined
          ? []
          : [{ head, ...(JSON.parse(json) as { index: number; data: unknown }) }];
      });

    it("reaches a real receiver as RFC 5424 has it, and goes on when that one was killed", async () => {
      const receiver = await rsyslog(0);
      await happen(3);
      stream({ name: "siem", type: "syslog", host: "127.0.0.1", port: receiver.port, tls: false });
      await seen(() => received(receiver.out).length === 3, "the first events");
      const [first] = received(receiver.out);
      assert.equal(first?.head, "109 sallyport signed-in 1");
      assert.deepEqual(first?.data, { text: "a\nb \u2028é" });
      receiver.child.kill("SIGKILL");
      await once(receiver.child, "exit");
      await happen(3);
      const again = await rsyslog(receiver.port);
      await seen(() => indexes(received(again.out)).length === 6, "what happened meanwhile");
      assert.deepEqual(indexes(received(again.out)), count(0, 6));
      again.child.kill("SIGKILL");
    });

    it("goes over TLS to nobody but who has the certificate", async () => {
      const [trusted, other] = [selfSigned(directory, "trusted"), selfSigned(directory, "other")];
      let bytes = "";
      const servers = [trusted, other].map(({ key, cert }) =>
        createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) }, (socket) => {
          socket.on("data", (chunk) => {
            bytes += chunk.toString("latin1");
          });
          socket.on("error", () => {});
        }),
      );
      const errors: unknown[] = [];
      world.environment.log.error = (_message, fields) => void errors.push(fields?.error);
      const listening = (server: (typeof servers)[0]) =>
        new Promise<number>((resolve) =>
          server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port)),
        );
      const [right, wrong] = servers as [(typeof servers)[0], (typeof servers)[0]];
      await happen(1);
      const to = async (server: typeof right) => ({
        name: "siem",
        type: "syslog",
        host: "localhost",
        port: await listening(server),
        caFile: trusted.cert,
      });
      const deceived = stream(await to(wrong));
      await seen(() => errors.length === 1, "the refusal of a false certificate");
      assert.match(String(errors[0]), /cannot be reached/);
      assert.equal(bytes, "");
      await deceived.close();
      stream(await to(right));
      await seen(() => bytes.includes('"index":0'), "the event");
      assert.match(bytes, /^\d+ <109>1 /);
      const length = Number(/^\d+/.exec(bytes)?.[0]);
      assert.equal(bytes.length, length + String(length).length + 1);
      for (const server of servers) server.close();
    });

    it("must have TLS to anywhere but this machine", () => {
      const plain = { name: "siem", type: "syslog", host: "siem.example.com", tls: false };
      assert.equal(AuditStream.safeParse(plain).success, false);
      assert.equal(AuditStream.safeParse({ ...plain, tls: true }).success, true);
    });
  });
});
