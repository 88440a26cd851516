import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemRandom } from "@sallyport/control-plane/environment.ts";
import { run } from "@sallyport/control-plane/program.ts";

const RIGHT = `version: 1
listen: { address: 127.0.0.1, port: 7300 }
url: https://sallyport.example.com
dataDirectory: /var/lib/sallyport-control-plane
issuers: [{ preset: okta, name: Acme, issuer: "https://acme.okta.com", clientId: cli }]
staff: [{ email: sam@example.com, role: admin }]
`;

describe("check-config", () => {
  let directory: string;
  let file: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "sallyport-check-"));
    file = join(directory, "control-plane.yaml");
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const check = async (
    text: string,
    { databaseUrl, ...variables }: Record<string, string | undefined> = {},
  ) => {
    writeFileSync(file, text);
    const said = { stdout: "", stderr: "" };
    const log = { info: () => {}, warn: () => {}, error: () => {} };
    const status = await run(["check-config", "--config", file], {
      environment: { clock: Date.now, random: systemRandom, log },
      ...{ databaseUrl, variables },
      stdout: { write: (text) => (said.stdout += text) },
      stderr: { write: (text) => (said.stderr += text) },
    });
    return { status, ...said };
  };

  it("prints what will be served", async () => {
    const { status, stdout, stderr } = await check(RIGHT);
    assert.deepEqual([status, stderr], [0, ""]);
    assert.match(stdout, /^URL +https:\/\/sallyport\.example\.com$/m);
    assert.match(stdout, /^issuer +Acme: https:\/\/acme\.okta\.com \(okta, client cli\)$/m);
    assert.match(stdout, /^staff +sam@example\.com \(admin\)$/m);
    assert.match(stdout, /^database +SQLite, \/var\/lib\/sallyport-control-plane\/sallyport\.db$/m);
  });

  it("tells of PostgreSQL and of a bucket, and no secret of either", async () => {
    const { status, stdout } = await check(RIGHT, {
      databaseUrl: "postgres://sally:s3cret@127.0.0.1:5432/ports",
      SALLYPORT_OBJECTS: "s3://recordings/acme?endpoint=https://s3.example.com",
      AWS_ACCESS_KEY_ID: "AKIA",
      AWS_SECRET_ACCESS_KEY: "s3cret",
    });
    assert.equal(status, 0);
    assert.match(stdout, /^database +PostgreSQL, ports at 127\.0\.0\.1:5432$/m);
    assert.match(stdout, /^recordings +https:\/\/s3\.example\.com\/recordings, below acme\/$/m);
    assert.doesNotMatch(stdout, /s3cret|AKIA/);
  });

  it("says file, line, column and the key's meaning", async () => {
    const { status, stdout, stderr } = await check(
      RIGHT.replace("clientId", "clientID").replace("7300", "99999"),
    );
    assert.deepEqual([status, stdout], [2, ""]);
    assert.match(
      stderr,
      new RegExp(`^${file}:2:31: "listen\\.port" is wrong: .*\n    listen\\.port: TCP port`),
    );
    assert.match(
      stderr,
      /:5:11: "issuers\.0\.clientId" is missing\n {4}issuers\.0\.clientId: The public client/,
    );
    assert.match(stderr, /:5:\d+: unknown key "issuers\.0\.clientID"; did you mean "clientId"\?/);
  });

  it("points at a file that is not there", async () => {
    const policy = `policyFile: ${directory}/policy.yaml\n`;
    const { status, stderr } = await check(RIGHT + policy);
    assert.equal(status, 2);
    assert.equal(
      stderr,
      `${file}:7:1: "policyFile" is wrong: ${directory}/policy.yaml is not there; put it there, or name the right file\n`,
    );
  });

  it("points at certificate files that are none", async () => {
    writeFileSync(join(directory, "cert.pem"), "no certificate");
    const tls = `tls: { certFile: ${directory}/cert.pem, keyFile: ${directory}/cert.pem }\n`;
    const { status, stderr } = await check(RIGHT + tls);
    assert.equal(status, 2);
    assert.match(stderr, /:7:1: "tls" is wrong: .* are no certificate and key/);
  });

  it("says when a key is there twice", async () => {
    const { status, stderr } = await check("version: 1\nversion: 1\n");
    assert.equal(status, 2);
    assert.match(stderr, /the key "version" is there twice/);
  });
});
