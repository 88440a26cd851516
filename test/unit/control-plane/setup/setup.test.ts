import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { loadConfiguration } from "@sallyport/control-plane/config/load-configuration.ts";
import { systemRandom } from "@sallyport/control-plane/environment.ts";
import { run } from "@sallyport/control-plane/program.ts";
import { stringify } from "yaml";

const ANSWERS = {
  url: "http://127.0.0.1:7300",
  issuer: "https://idp.example.com",
  admin: "sam@example.com",
  tryIssuer: false,
};

describe("setup", () => {
  let directory: string;
  let file: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "sallyport-setup-"));
    file = join(directory, "control-plane.yaml");
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const setUp = async (args: readonly string[], stdin?: PassThrough & { isTTY?: boolean }) => {
    const stderr = Object.assign(new PassThrough({ encoding: "utf8" }), { said: "" });
    stderr.on("data", (text: string) => {
      stderr.said += text;
    });
    const log = { info: () => {}, warn: () => {}, error: () => {} };
    const status = await run(["setup", "--config", file, ...args], {
      environment: { clock: Date.now, random: systemRandom, log },
      ...{ databaseUrl: undefined, variables: {}, stdout: { write: () => {} }, stderr, stdin },
    });
    return { status, stderr: stderr.said };
  };
  const answered = (answers: Record<string, unknown>) => {
    const path = join(directory, "answers.yaml");
    writeFileSync(path, stringify(answers));
    return setUp(["--answers", path]);
  };

  it("makes a configuration of a file of answers, for its owner only", async () => {
    const { status, stderr } = await answered(ANSWERS);
    assert.equal(status, 0, stderr);
    const { url, listen, tls, issuers, staff, dataDirectory } = loadConfiguration(file);
    assert.deepEqual(
      { url, listen, tls, dataDirectory, staff: staff.map(({ email, role }) => ({ email, role })) },
      {
        url: "http://127.0.0.1:7300",
        listen: { address: "127.0.0.1", port: 7300 },
        tls: undefined,
        dataDirectory: "/var/lib/sallyport-control-plane",
        staff: [{ email: "sam@example.com", role: "admin" }],
      },
    );
    assert.deepEqual(
      issuers.map(({ preset, issuer, clientId, name }) => ({ preset, issuer, clientId, name })),
      [{ preset: "generic", issuer: "https://idp.example.com", clientId: "sallyport-cli", name: "Company" }],
    );
    assert.equal(statSync(file).mode & 0o007, 0);
    assert.match(stderr, /sallyport login --server http:\/\/127\.0\.0\.1:7300/);
  });

  it("has a proxy do TLS on another machine only by saying so", async () => {
    const proxy = {
      tls: "proxy",
      address: "10.0.0.5",
      proxyNetwork: "10.0.0.1/32",
      url: "https://s.example.com",
    };
    assert.equal((await answered({ ...ANSWERS, ...proxy })).status, 0);
    const { listen, trustedProxies } = loadConfiguration(file);
    assert.deepEqual(listen, { address: "10.0.0.5", port: 7300, plainHttp: "a-proxy-does-tls" });
    assert.deepEqual(trustedProxies, ["10.0.0.1/32"]);
  });

  it("names Google's Workspace, without which everybody could sign in", async () => {
    const google = { ...ANSWERS, preset: "google", issuer: undefined, clientId: "x", clientSecret: "y" };
    const without = await answered(google);
    assert.equal(without.status, 2);
    assert.match(without.stderr, /workspaceDomain \(.*\): it needs an answer/);
    assert.equal((await answered({ ...google, workspaceDomain: "example.com" })).status, 0);
    assert.deepEqual(loadConfiguration(file).issuers[0]?.requiredClaims, { hd: ["example.com"] });
  });

  const TRAPS: [string, Record<string, unknown>, RegExp][] = [
    [
      "what nobody can guess",
      { admin: undefined },
      /admin \(E-mail of the first admin\): it needs an answer/,
    ],
    [
      "a preset's trap",
      { preset: "okta", issuer: "https://acme-admin.okta.com" },
      /issuer .*leave out -admin/,
    ],
    ["a URL that is none", { url: "sallyport" }, /url \(/],
    [
      "plain HTTP beyond this machine",
      { url: "http://s.example.com" },
      /plain HTTP is for this machine only/,
    ],
    ["TLS by nobody", { tls: "magic" }, /tls \(.*\): one of own, proxy, loopback/],
    ["an answer to no question", { adnin: "x" }, /unknown key "adnin"; did you mean "admin"\?/],
  ];
  for (const [what, answers, said] of TRAPS)
    it(`refuses ${what}, and writes nothing`, async () => {
      const { status, stderr } = await answered({ ...ANSWERS, ...answers });
      assert.equal(status, 2);
      assert.match(stderr, said);
      assert.equal(existsSync(file), false);
    });

  it("writes nothing where a certificate is missing", async () => {
    const tls = {
      url: "https://s.example.com",
      certFile: join(directory, "none.pem"),
      keyFile: join(directory, "none.pem"),
    };
    const { status, stderr } = await answered({ ...ANSWERS, ...tls });
    assert.equal(status, 2);
    assert.match(stderr, /"tls\.certFile" is wrong: .*none\.pem is not there/);
    assert.equal(existsSync(file), false);
  });

  it("writes nothing when the issuer does not answer", async () => {
    const { status, stderr } = await answered({ ...ANSWERS, issuer: "http://127.0.0.1:1", tryIssuer: "yes" });
    assert.equal(status, 1);
    assert.match(
      stderr,
      /^Nothing was written: http:\/\/127\.0\.0\.1:1 does not answer as an OpenID provider/,
    );
    assert.equal(existsSync(file), false);
  });

  it("never changes a configuration that is there", async () => {
    assert.equal((await answered(ANSWERS)).status, 0);
    const text = readFileSync(file, "utf8");
    const { status, stderr } = await answered({ ...ANSWERS, admin: "other@example.com" });
    assert.equal(status, 0);
    assert.match(stderr, /is there already, and stays as it is/);
    assert.equal(readFileSync(file, "utf8"), text);
  });

  it("asks on a terminal, again where an answer is wrong, and takes what is usual", async () => {
    const stdin = Object.assign(new PassThrough(), { isTTY: true });
    const typed = ["http://127.0.0.1:7400", "", "", "", "keycloak", "https://k.example/realms/x/"];
    const more = ["https://k.example/realms/x", "", "", "not an address", "sam@example.com", "no"];
    const over = setUp([], stdin);
    for (const line of [...typed, ...more]) {
      await new Promise((resolve) => setImmediate(resolve));
      stdin.write(`${line}\r`);
    }
    const { status, stderr } = await over;
    assert.equal(status, 0, stderr);
    assert.match(stderr, /Not so: an issuer of Keycloak ends with/);
    const { issuers, listen } = loadConfiguration(file);
    assert.deepEqual([issuers[0]?.issuer, issuers[0]?.name], ["https://k.example/realms/x", "Keycloak"]);
    assert.equal(listen.port, 7400);
  });

  it("asks what to do when the issuer does not answer, and keeps the answers", async () => {
    const stdin = Object.assign(new PassThrough(), { isTTY: true });
    const options = ["--url", ANSWERS.url, "--issuer", "http://127.0.0.1:1", "--admin", ANSWERS.admin];
    const over = setUp([...options, "--preset", "generic", "--try-issuer", "yes"], stdin);
    // TLS, port, directory, name and client as usual; again; and then not.
    for (const line of ["", "", "", "", "", "yes", "no"]) {
      await new Promise((resolve) => setImmediate(resolve));
      stdin.write(`${line}\r`);
    }
    const { status, stderr } = await over;
    assert.equal(status, 0, stderr);
    assert.equal(stderr.match(/does not answer as an OpenID provider/g)?.length, 2);
    assert.equal(loadConfiguration(file).issuers[0]?.issuer, "http://127.0.0.1:1");
  });

  it("writes nothing when the terminal is closed", async () => {
    const stdin = Object.assign(new PassThrough(), { isTTY: true });
    const over = setUp([], stdin);
    stdin.end("http://127.0.0.1:7400\r");
    const { status, stderr } = await over;
    assert.equal(status, 2);
    assert.match(stderr, /Setup was ended; nothing was written/);
    assert.equal(existsSync(file), false);
  });
});
