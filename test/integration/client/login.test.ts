import assert from "node:assert/strict";
import {
  existsSync,
  lstatSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { type IdentityProvider, startIdentityProvider } from "../../../demo/identity-provider.ts";
import { signInByForm } from "../../../demo/sign-in-by-form.ts";
import { type ControlPlaneFixture, startControlPlane } from "./fixtures/control-plane.ts";
import { ALICE, aliceMe } from "./fixtures/people.ts";
import { type Finished, Machine } from "./fixtures/sallyport.ts";

describe("sallyport login", () => {
  let idp: IdentityProvider;
  let server: ControlPlaneFixture;
  let machine: Machine;

  before(async () => {
    idp = await startIdentityProvider({ port: 0, users: [ALICE] });
  });
  after(() => idp.close());
  beforeEach(async () => {
    const me = aliceMe(Math.floor(Date.now() / 1000));
    server = await startControlPlane({ issuer: idp.issuer, clientId: "sallyport-cli", me });
    machine = new Machine();
  });
  afterEach(async () => {
    machine.remove();
    await server.close();
  });

  async function signIn(...options: string[]): Promise<Finished & { page: string }> {
    const running = machine.start("login", "--server", server.url, "--no-browser", ...options);
    const { body } = await signInByForm(await running.firstLine, {
      username: ALICE.name,
      password: ALICE.password,
    });
    return { ...(await running.finished), page: body };
  }

  function assertOneSentence(result: Finished, status: number, pattern: RegExp): void {
    assert.equal(result.status, status, result.stderr);
    assert.match(result.stderr, pattern);
    assert.equal(result.stderr.trimEnd().split("\n").length, 1, result.stderr);
  }

  it("prints the address alone on standard output, and says who came in", async () => {
    const result = await signIn();
    assert.equal(result.status, 0, result.stderr);
    assert.match(result.stdout, /^http:\/\/127\.0\.0\.1:\d+\/auth\?\S+\n$/);
    assert.match(result.page, /You are signed in/);
    assert.match(
      result.stderr,
      /Signed in as Alice Example \(contractor\) by http:\/\/127\.0\.0\.1:\d+, with MFA\./,
    );
    assert.match(result.stderr, /valid until \d{4}-\d\d-\d\d \d\d:\d\d \(in (59|60) min\)/);
    assert.match(result.stderr, /web-1 +127\.0\.0\.1:2201 +deploy +acme-web \(running\), acme-old \(ended\)/);
    assert.match(result.stderr, /Engagement acme-old has ended and lets nobody in; ask dana@corp\.test\./);
    assert.match(
      result.stderr,
      /Engagement acme-next has not started: it lets you in from .* \(in 3 days\)\./,
    );
  });

  it("keeps nothing that others can read, and no token of the IdP", async () => {
    await signIn();
    assert.equal(statSync(machine.home).mode & 0o777, 0o700);
    for (const name of readdirSync(machine.home)) {
      const path = join(machine.home, name);
      if (!lstatSync(path).isFile()) continue;
      assert.equal(statSync(path).mode & 0o777, 0o600, name);
      const text = readFileSync(path, "latin1");
      assert.doesNotMatch(text, /eyJ[A-Za-z0-9_-]+\.eyJ|access_token|refresh_token/, name);
    }
    const sent = JSON.stringify(server.state.requests);
    assert.doesNotMatch(sent, /access_token|refresh_token/);
  });

  it("puts the private key into memory when there is no agent, and removes it on logout", async () => {
    machine.env.XDG_RUNTIME_DIR = undefined;
    await signIn();
    const file = readlinkSync(join(machine.home, "id_ed25519"));
    assert.match(file, /^\/dev\/shm\/sallyport-\d+\/[0-9a-f]{16}\/id_ed25519$/);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const keygen = await machine.spawn("ssh-keygen", ["-y", "-f", file]).finished;
    const publicKey = readFileSync(join(machine.home, "id_ed25519.pub"), "utf8");
    assert.deepEqual(keygen.stdout.split(" ").slice(0, 2), publicKey.split(" ").slice(0, 2));
    const logout = await machine.run("logout");
    assert.equal(logout.status, 0);
    assert.equal(logout.stderr, "Signed out.\n");
    assert.ok(!existsSync(file));
    assert.equal(server.state.tokens.size, 0);
    assert.deepEqual(
      readdirSync(machine.home).filter((name) => /id_ed25519|cert|sign-in/.test(name)),
      [],
    );
  });

  it("removes a key whose certificate has ended, with whatever command comes next", async () => {
    server.state.certificateLifetime = -1;
    await signIn();
    const file = readlinkSync(join(machine.home, "id_ed25519"));
    assert.ok(existsSync(file));
    await machine.run("status");
    assert.ok(!existsSync(file));
  });

  it("opens $BROWSER with the address as one argument", async () => {
    const script = join(machine.directory, "browser");
    const note = join(machine.directory, "address");
    writeFileSync(
      script,
      `#!/bin/sh\nprintf '%s\\n' "$#" "$1" > '${note}.new' && mv '${note}.new' '${note}'\n`,
      { mode: 0o755 },
    );
    machine.env.BROWSER = script;
    const running = machine.start("login", "--server", server.url);
    const address = await new Promise<string>((resolve) => {
      let text = "";
      running.child.stderr.on("data", (piece: Buffer) => {
        text += piece;
        const found = /^(http\S+)\n/m.exec(text)?.[1];
        if (found !== undefined) resolve(found);
      });
    });
    await signInByForm(address, { username: ALICE.name, password: ALICE.password });
    const result = await running.finished;
    assert.equal(result.status, 0, result.stderr);
    assert.match(result.stdout, /Signed in as Alice Example/);
    assert.equal(readFileSync(note, "utf8"), `1\n${address}\n`);
  });

  it("gives staff who are no contractors no key", async () => {
    server.state.me = { name: "Sec Ops", roles: ["admin"], memberId: null, hosts: [], engagements: [] };
    const result = await signIn();
    assert.equal(result.status, 0, result.stderr);
    assert.match(result.stderr, /No SSH certificate/);
    assert.ok(!existsSync(join(machine.home, "key.json")));
  });

  it("says when the browser was closed (after a wrong password, too)", async () => {
    const running = machine.start("login", "--server", server.url, "--link", "--timeout", "1");
    const { body } = await signInByForm(await running.firstLine, { username: ALICE.name, password: "wrong" });
    assert.match(body, /password/i);
    assertOneSentence(
      await running.finished,
      5,
      /The sign-in was not finished in the browser within 1 s; run sallyport login/,
    );
  });

  it("says when the IdP refused", async () => {
    const running = machine.start("login", "--server", server.url, "--no-browser");
    const { body } = await signInByForm(await running.firstLine, {
      username: "",
      password: "",
      cancel: true,
    });
    assert.match(body, /The sign-in failed/);
    assertOneSentence(await running.finished, 5, /Vendor IdP refused the sign-in \(access_denied/);
  });

  it("takes no answer that belongs to another sign-in", async () => {
    const running = machine.start("login", "--server", server.url, "--no-browser");
    const address = new URL(await running.firstLine);
    const callback = new URL(address.searchParams.get("redirect_uri") ?? "");
    const forged = await fetch(`${callback}?code=abc&state=forged`);
    assert.equal(forged.status, 400);
    assert.equal((await fetch(new URL("/other", callback))).status, 404);
    await signInByForm(address.href, { username: ALICE.name, password: ALICE.password });
    assert.equal((await running.finished).status, 0);
  });

  it("names the difference when a clock is wrong", async () => {
    server.state.clockOffset = 600;
    assertOneSentence(
      await machine.run("login", "--server", server.url, "--no-browser"),
      5,
      /This machine's clock is (10|9) min behind the control plane's; set it right/,
    );
  });

  it("says that the control plane cannot be reached", async () => {
    const free = createServer();
    await new Promise<void>((resolve) => free.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(free.address() as AddressInfo).port}`;
    await new Promise((resolve) => free.close(resolve));
    assertOneSentence(
      await machine.run("login", "--server", url, "--no-browser"),
      4,
      /The control plane http:\S+ cannot be reached \(ECONNREFUSED\); check the address/,
    );
  });

  it("says that the IdP cannot be reached", async () => {
    server.state.issuer = "http://127.0.0.1:9";
    const result = await machine.run("login", "--server", server.url, "--no-browser");
    assertOneSentence(
      result,
      4,
      /The identity provider Vendor IdP at http:\/\/127\.0\.0\.1:9 cannot be reached/,
    );
  });

  it("prints the server's sentence for who is not invited, and keeps it for `why`", async () => {
    await signIn();
    const message = "You are signed in as alice, but nobody has invited you.\u001b[2J";
    server.state.refuseCertificate = { status: 403, code: "not-invited", message };
    const result = await signIn();
    assertOneSentence(
      result,
      6,
      /^sallyport: You are signed in as alice, but nobody has invited you\.\\u\{1b\}\[2J\n$/,
    );
    assert.match(result.page, /The sign-in failed.*nobody has invited you/s);
    const why = await machine.run("why");
    assert.match(
      why.stdout,
      /the sign-in on this machine failed \(not-invited\)\.\nYou are signed in as alice/,
    );
  });

  it("says what is wrong with an answer that is no control plane's", async () => {
    const other = createServer((_request, response) => response.end("<html>hello</html>"));
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    const result = await machine.run("login", "--server", url, "--no-browser");
    await new Promise((resolve) => {
      other.close(resolve);
      other.closeAllConnections();
    });
    assertOneSentence(result, 1, /is it a Sallyport control plane of this version\?/);
  });
});
