import assert from "node:assert/strict";
import { type IdentityProvider, startIdentityProvider } from "../../../demo/identity-provider.ts";
import { signInByForm } from "../../../demo/sign-in-by-form.ts";
import { TerminalClient } from "../../fixtures/terminal.ts";
import { startTestControlPlane, type TestControlPlane } from "../control-plane/support/control-plane.ts";
import { type Finished, MAIN, Machine } from "./fixtures/sallyport.ts";

const password = "correct horse";
const user = (name: string, email: string) => ({ name, email, password, mfa: false, sub: `u-${name}` });

describe("finding one's identity provider by e-mail", () => {
  let company: IdentityProvider;
  let vendor: IdentityProvider;
  let plane: TestControlPlane;
  let machine: Machine;

  before(async () => {
    company = await startIdentityProvider({ port: 0, users: [user("sam", "sec@acme.test")] });
    const people = [user("dana", "dana@vendor.test"), user("eve", "eve@vendor.test")];
    vendor = await startIdentityProvider({ port: 0, users: people });
    const common = { clientId: "sallyport-cli", mfa: { amr: { mfa: "mfa" } } };
    plane = await startTestControlPlane({
      config: {
        issuers: [
          { name: "Company", issuer: company.issuer, domains: ["acme.test"], ...common },
          { name: "Vendor", issuer: vendor.issuer, domains: ["vendor.test"], vendors: ["vendor"], ...common },
        ],
      },
    });
  });
  after(async () => {
    await plane.close();
    await company.close();
    await vendor.close();
  });
  beforeEach(() => {
    machine = new Machine();
  });
  afterEach(() => machine.remove());

  async function signIn(username: string, ...options: string[]): Promise<Finished & { address: URL }> {
    const running = machine.start("login", "--server", plane.url, "--no-browser", ...options);
    const address = await running.firstLine;
    await signInByForm(address, { username, password });
    return { ...(await running.finished), address: new URL(address) };
  }

  it("takes the one of the e-mail's domain, and fills the e-mail into its form", async () => {
    const { address, stderr, status } = await signIn("dana", "--email", "Dana@VENDOR.test");
    assert.equal(address.origin, vendor.issuer);
    assert.equal(address.searchParams.get("login_hint"), "Dana@VENDOR.test");
    assert.equal(status, 0, stderr);
    assert.match(stderr, /Signed in as Dana Doe \(contractor\)/);
  });

  it("never takes the e-mail for who somebody is", async () => {
    const { stderr } = await signIn("dana", "--email", "eve@vendor.test");
    assert.match(stderr, /Signed in as Dana Doe/);
    const staff = await signIn("dana", "--issuer", "Vendor", "--email", "sec@acme.test");
    assert.equal(staff.address.origin, vendor.issuer);
    assert.match(staff.stderr, /Signed in as Dana Doe \(contractor\)/);
  });

  it("says whom it knows where nobody is there to ask, and remembers where one signed in", async () => {
    const unknown = await machine.run("login", "--server", plane.url, "--no-browser");
    assert.equal(unknown.status, 2, unknown.stderr);
    assert.match(
      unknown.stderr,
      /--issuer, or who you are with --email: http:\S+ \(Company\), http:\S+ \(Vendor\)/,
    );
    await signIn("dana", "--email", "dana@vendor.test");
    assert.equal((await signIn("dana")).address.origin, vendor.issuer);
  });

  it("asks whoever is at the terminal, once", async () => {
    const argv = [process.execPath, MAIN, "login", "--server", plane.url];
    const terminal = new TerminalClient(argv, { env: machine.environment, columns: 300 });
    await terminal.shows(/Your e-mail address at work: /);
    terminal.type("dana@vendor.test\r");
    const shown = await terminal.shows(/open this address:\s+http\S+\s/);
    const [, address = ""] = /open this address:\s+(http\S+)/.exec(shown) ?? [];
    assert.equal(new URL(address).origin, vendor.issuer);
    await signInByForm(address, { username: "dana", password });
    assert.equal(await terminal.exited, 0);
    const again = new TerminalClient([...argv, "--no-browser"], { env: machine.environment, columns: 300 });
    const next = await again.shows(/http\S+\s/);
    assert.doesNotMatch(next, /e-mail/);
    again.kill("SIGKILL");
    await again.exited;
  });

  it("refuses a domain that nobody named, and what is no e-mail", async () => {
    const other = await machine.run("login", "--server", plane.url, "--email", "x@else.test", "--no-browser");
    assert.match(other.stderr, /knows no identity provider for people of else\.test; name one with --issuer/);
    const none = await machine.run("login", "--server", plane.url, "--email", "dana", "--no-browser");
    assert.match(none.stderr, /--email takes an address/);
  });
});
