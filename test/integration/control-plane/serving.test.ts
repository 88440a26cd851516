import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { type AddressInfo, connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { Configuration } from "@sallyport/control-plane/config/configuration.ts";
import { makeHttpServer } from "@sallyport/control-plane/listen/http-server.ts";
import { isSallyportError } from "@sallyport/core/errors.ts";
import { WebSocket } from "ws";
import { call, signIn } from "./support/client.ts";
import { startTestControlPlane, type TestControlPlane } from "./support/control-plane.ts";
import { connect, enrol, makeRecording } from "./support/host.ts";

const SILENT = { info: () => {}, warn: () => {}, error: () => {} };

/** A certificate for 127.0.0.1 and its key, as `NAME.pem` and `NAME.key`. */
function makeCertificate(directory: string, name: string): void {
  const file = (suffix: string) => join(directory, `${name}.${suffix}`);
  execFileSync(
    "openssl",
    [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"],
      ...["-subj", `/CN=${name}`, "-addext", "subjectAltName=IP:127.0.0.1"],
      ...["-keyout", file("key"), "-out", file("pem")],
    ],
    { stdio: "ignore" },
  );
}

describe("serving TLS", () => {
  let plane: TestControlPlane;
  let directory: string;
  const file = (name: string) => join(directory, name);
  const serve = (name: string) => {
    copyFileSync(file(`${name}.pem`), file("server.pem"));
    copyFileSync(file(`${name}.key`), file("server.key"));
  };
  const port = () => Number(new URL(plane.url).port);
  const servedTo = async (options: object = {}) => {
    const socket = connectTls({ port: port(), host: "127.0.0.1", rejectUnauthorized: false, ...options });
    await once(socket, "secureConnect");
    const { subject } = socket.getPeerCertificate();
    socket.destroy();
    return subject.CN;
  };

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "sallyport-tls-"));
    for (const name of ["first", "second"]) makeCertificate(directory, name);
    serve("first");
    const tls = { certFile: file("server.pem"), keyFile: file("server.key") };
    plane = await startTestControlPlane({ config: { tls, url: "https://127.0.0.1:0" } });
  });
  after(async () => {
    await plane.close();
    rmSync(directory, { recursive: true, force: true });
  });

  it("answers with its certificate and HSTS, and not to TLS before 1.2", async () => {
    const ask = request(`${plane.url}/healthz`, { ca: readFileSync(file("first.pem")) }).end();
    const [response] = await once(ask, "response");
    response.resume();
    assert.equal(response.statusCode, 200);
    assert.equal(response.headers["strict-transport-security"], "max-age=31536000");
    await assert.rejects(
      servedTo({ maxVersion: "TLSv1.1", minVersion: "TLSv1", ciphers: "DEFAULT@SECLEVEL=0" }),
    );
    assert.equal(await servedTo({ maxVersion: "TLSv1.2" }), "first");
  });

  it("takes new files without dropping a link, and keeps the old ones when the new do not fit", async () => {
    const ca = readFileSync(file("first.pem"));
    const link = new WebSocket(`${plane.url.replace("https", "wss")}/api/v1/host-link`, { ca });
    await once(link, "message");
    // The new certificate is there, its key not yet.
    copyFileSync(file("second.pem"), file("server.pem"));
    plane.running.reloadTls();
    assert.equal(await servedTo(), "first");
    serve("second");
    plane.running.reloadTls();
    assert.equal(await servedTo(), "second");
    link.ping();
    await once(link, "pong");
    link.terminate();
  });

  it("does not start with files that are not there or do not fit", () => {
    const make = (certFile: string, keyFile: string) => () =>
      makeHttpServer({ tls: { certFile, keyFile } }, SILENT);
    const invalid = (expected: RegExp) => (error: unknown) =>
      isSallyportError(error, "config-invalid") && expected.test(error.message);
    assert.throws(make(file("none.pem"), file("first.key")), invalid(/none\.pem of `tls` cannot be read/));
    assert.throws(make(file("first.pem"), file("second.key")), invalid(/belong together/));
    writeFileSync(file("empty.pem"), "");
    assert.throws(make(file("empty.pem"), file("first.key")), invalid(/no certificate and key/));
  });
});

describe("what is served beyond loopback", () => {
  const base = {
    version: 1,
    url: "https://sallyport.example.com",
    dataDirectory: "/d",
    issuers: [{ name: "I", issuer: "https://idp.example.com", clientId: "c" }],
  };
  const parse = (rest: object) => Configuration.safeParse({ ...base, ...rest }).success;

  it("is TLS, or plain HTTP that somebody said a proxy is in front of", () => {
    const tls = { certFile: "/c", keyFile: "/k" };
    assert.equal(parse({ listen: { address: "0.0.0.0" } }), false);
    assert.equal(parse({ listen: { address: "::" } }), false);
    assert.equal(parse({ listen: { address: "0.0.0.0" }, tls }), true);
    assert.equal(parse({ listen: { address: "10.0.0.1", plainHttp: "a-proxy-does-tls" } }), true);
    assert.equal(parse({ listen: { address: "10.0.0.1", plainHttp: true } }), false);
    assert.equal(parse({ listen: { address: "127.0.0.1" } }), true);
    // The URL that clients and hosts are given has no such exception.
    const listen = { address: "10.0.0.1", plainHttp: "a-proxy-does-tls" };
    assert.equal(parse({ listen, url: "http://10.0.0.1" }), false);
  });
});

describe("slow clients", () => {
  const cases = {
    "half a request line": "GET /",
    "headers without end": "GET / HTTP/1.1\r\nHost: x\r\nX-A: 1\r\n",
    "an upgrade without end": "GET /api/v1/host-link HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n",
    "a body without end": "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n1",
  };
  for (const [what, sent] of Object.entries(cases)) {
    it(`are cut off: ${what}`, async () => {
      const limits = { headersTimeout: 100, requestTimeout: 200, connectionsCheckingInterval: 20 };
      const { server } = makeHttpServer({ tls: undefined }, SILENT, limits);
      server.on("request", (request) => request.resume());
      server.listen(0, "127.0.0.1");
      await once(server, "listening");
      const socket = connectTcp((server.address() as AddressInfo).port, "127.0.0.1");
      socket.write(sent);
      socket.resume();
      await once(socket, "close");
      server.close();
    });
  }

  it("have limits where nobody set others", () => {
    const { server } = makeHttpServer({ tls: undefined }, SILENT);
    assert.deepEqual(
      [server.headersTimeout, server.requestTimeout, server.maxHeadersCount],
      [15_000, 60_000, 100],
    );
  });
});

describe("limits, headers, health and metrics", () => {
  let plane: TestControlPlane;
  const raw = (path: string, headers: Record<string, string> = {}, init: RequestInit = {}) =>
    fetch(`${plane.url}${path}`, { ...init, headers });

  before(async () => {
    const rateLimit = {
      ...{ perSecond: 0.001, burst: 30 },
      ...{ caller: { perSecond: 0.001, burst: 60 }, failures: { perSecond: 0.001, burst: 5 } },
    };
    plane = await startTestControlPlane({ config: { rateLimit, trustedProxies: ["127.0.0.0/8"] } });
  });
  after(() => plane.close());

  it("counts each client behind the proxy on its own, and is not fooled by what clients write", async () => {
    const challenge = async (forwarded: string) =>
      (await raw("/api/v1/challenges", { "x-forwarded-for": forwarded }, { method: "POST" })).status;
    for (let i = 0; i < 30; i++) assert.equal(await challenge(`203.0.113.${i}, 198.51.100.1`), 201);
    const refused = await raw(
      "/api/v1/challenges",
      { "x-forwarded-for": "203.0.113.99, 198.51.100.1" },
      { method: "POST" },
    );
    assert.deepEqual([refused.status, refused.headers.get("retry-after")], [429, "60"]);
    assert.equal(await challenge("198.51.100.2"), 201);
  });

  it("limits guesses at tokens by address, but nobody who has one", async () => {
    const { apiToken } = await signIn(plane.url, plane.idp.issuer, "sam");
    const guess = async () => (await call(plane.url, "GET", "/me", { token: "A".repeat(43) })).status;
    for (let i = 0; i < 5; i++) assert.equal(await guess(), 401);
    assert.equal(await guess(), 429);
    assert.equal((await call(plane.url, "GET", "/me", { token: apiToken })).status, 200);
  });

  it("limits each person, over all of their sign-ins", async () => {
    const [one, two] = [
      (await signIn(plane.url, plane.idp.issuer, "dana")).apiToken,
      (await signIn(plane.url, plane.idp.issuer, "dana")).apiToken,
    ];
    const statuses: number[] = [];
    for (let i = 0; i < 62; i++)
      statuses.push((await call(plane.url, "GET", "/me", { token: i % 2 === 0 ? one : two })).status);
    assert.deepEqual(statuses.slice(-3), [200, 429, 429]);
    const { apiToken } = await signIn(plane.url, plane.idp.issuer, "eve");
    assert.equal((await call(plane.url, "GET", "/me", { token: apiToken })).status, 200);
  });

  it("has strict headers on every answer, errors among them", async () => {
    const answers = [
      await raw("/"),
      await raw("/nothing"),
      await raw("/api/v1/me"),
      await raw("/api/v1/hosts", {}, { method: "POST", body: "x".repeat(300 * 1024) }),
      await raw("/api/v1/hosts", {}, { method: "POST", body: "{" }),
      await raw("/metrics"),
      await raw("/healthz"),
    ];
    assert.deepEqual(
      answers.map(({ status }) => status),
      [200, 404, 429, 400, 400, 429, 200],
    );
    for (const { headers } of answers) {
      assert.equal(headers.get("x-content-type-options"), "nosniff");
      assert.equal(headers.get("cache-control"), "no-store");
      assert.equal(headers.get("referrer-policy"), "no-referrer");
      assert.match(headers.get("content-security-policy") ?? "", /^default-src 'none'/);
    }
  });

  it("counts what is done in metrics, for whoever has metrics:read", async () => {
    const { apiToken } = await signIn(plane.url, plane.idp.issuer, "audrey");
    const metrics = async () => (await raw("/metrics", { authorization: `Bearer ${apiToken}` })).text();
    const value = async (series: string) =>
      Number(new RegExp(`^${series.replace(/[{}"]/g, "\\$&")} (.+)$`, "m").exec(await metrics())?.[1]);
    const host = await enrol(plane.url, await plane.joinToken("web-1"));
    const link = await connect(plane.url, host);
    assert.equal(await value("sallyport_hosts_connected"), 1);
    const recording = makeRecording(host, { id: "mem", issuer: plane.idp.issuer, subject: "dana" });
    const [first, ...rest] = recording.blocks;
    link.socket.send(first?.bytes ?? "");
    await link.next("recording-offset");
    assert.equal(await value("sallyport_sessions_live"), 1);
    for (const block of rest) link.socket.send(block.bytes);
    for (let complete = false; !complete; ) complete = (await link.next("recording-offset")).complete;
    const bytes = recording.blocks.reduce((sum, block) => sum + block.bytes.length, 0);
    assert.equal(await value("sallyport_recording_received_bytes_total"), bytes);
    assert.equal(await value("sallyport_sessions_live"), 0);
    assert.equal(await value('sallyport_queue_length{queue="recordings"}'), 0);
    assert.equal(await value('sallyport_audit_events_total{type="host-enrolled"}'), 1);
    assert.equal(await value('sallyport_audit_events_total{type="certificate-issued"}'), 3);
    assert.ok((await value("sallyport_audit_log_entries")) > 5);
    // Whatever paths are asked for, they make no new series.
    await raw(`/api/v1/sessions/ses_nothing`);
    for (const path of ["/a", "/b", "/api/v1/x"]) await raw(path);
    const routes = new Set([...(await metrics()).matchAll(/route="([^"]*)"/g)].map(([, route]) => route));
    assert.ok(routes.has("none") && routes.has("/api/v1/sessions/{id}"));
    assert.ok(![...routes].some((route) => /nothing|^\/a$|\/x$/.test(route ?? "")), [...routes].join(" "));
    await link.close();
  });

  it("is ready while database, keys and recordings are there, and says which is not", async () => {
    assert.deepEqual([(await raw("/healthz")).status, (await raw("/readyz")).status], [200, 200]);
    const other = await startTestControlPlane();
    try {
      rmSync(join(other.directory, "recordings"), { recursive: true, force: true });
      writeFileSync(join(other.directory, "recordings"), "a file where the directory was");
      const answer = await call(other.url, "GET", "/readyz", { base: "" });
      assert.deepEqual([answer.status, answer.code], [503, "not-ready"]);
      assert.match(answer.message, /^Not ready: recordings\./);
      assert.equal((await call(other.url, "GET", "/healthz", { base: "" })).status, 200);
    } finally {
      await other.close();
    }
  });
});
