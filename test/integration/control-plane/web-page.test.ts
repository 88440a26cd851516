import assert from "node:assert/strict";
import { WebCode } from "@sallyport/core/messages/recordings.ts";
import { makeId } from "@sallyport/core/names.ts";
import type { Browser, BrowserContext, Locator, Page } from "playwright-core";
import { startBrowser } from "../../fixtures/browser.ts";
import { call, signIn } from "./support/client.ts";
import { startTestControlPlane, type TestControlPlane } from "./support/control-plane.ts";
import { connect, enrol, makeRecording, type TestHost } from "./support/host.ts";

/** What would do something, if the page took it for more than text. */
const HOSTILE = `<img src=x onerror="window.owned=1"><script>window.owned=2</script>`;
const QUERIES = "\u001b]52;c;b3duZWQ=\u0007\u001b[6n\u001b[c\u001b]0;owned title\u0007\u001bP$qm\u001b\\";

describe("the web page", function () {
  this.timeout(60_000);
  let plane: TestControlPlane;
  let browser: Browser;
  let context: BrowserContext;
  let page: Page;
  let host: TestHost;
  const tokens: Record<string, string> = {};
  const sessions: string[] = [];
  /** What the browser complained of, and where it went. */
  let complaints: string[];
  let requests: string[];

  const code = async (sub: string): Promise<string> => {
    const answer = await call(plane.url, "POST", "/web-sessions", { token: tokens[sub] ?? "" });
    assert.equal(answer.status, 201);
    const { code, page } = WebCode.parse(answer.body);
    return `${page}#code=${code}`;
  };
  const upload = async (options: Parameters<typeof makeRecording>[2], subject = "dana", id = "") => {
    const member = { id, issuer: plane.idp.issuer, subject };
    const { session, blocks } = makeRecording(host, member, options);
    const link = await connect(plane.url, host);
    for (const block of blocks) link.socket.send(block.bytes);
    for (let complete = false; !complete; ) complete = (await link.next("recording-offset")).complete;
    await link.close();
    sessions.push(session);
    return session;
  };
  const open = async (url: string) => {
    context = await browser.newContext();
    page = await context.newPage();
    complaints = [];
    requests = [];
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) complaints.push(message.text());
    });
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("request", (request) => requests.push(request.url()));
    await page.addInitScript(`document.addEventListener("securitypolicyviolation", (event) =>
      console.error("violated", event.violatedDirective, event.blockedURI));`);
    await page.goto(url);
  };
  const contentOf = async (element: Locator) => (await element.textContent()) ?? "";
  const text = (selector: string) => contentOf(page.locator(selector));
  const owned = () => page.evaluate("window.owned");
  /** The page's requests as another program would send them, with its cookie. */
  const fetchAs = async (
    method: string,
    path: string,
    headers: Record<string, string> = {},
    body?: unknown,
  ) => {
    const cookies = (await context.cookies()).map(({ name, value }) => `${name}=${value}`).join("; ");
    const response = await fetch(`${plane.url}/web${path}`, {
      method,
      headers: { cookie: cookies, ...(body ? { "content-type": "application/json" } : {}), ...headers },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    return { status: response.status, text: await response.text(), headers: response.headers };
  };
  /** Pictures for people to look at, where they ask for them. */
  const shoot = async (name: string) => {
    const directory = process.env.SALLYPORT_SCREENSHOTS;
    if (directory === undefined) return;
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      await page.screenshot({ path: `${directory}/${name}-${colorScheme}.png` });
    }
  };
  const audited = async (type: string) => {
    const db = await plane.database();
    const rows = await db
      .selectFrom("audit_events")
      .select(["actor", "data_json"])
      .where("type", "=", type)
      .orderBy("leaf_index")
      .execute();
    await db.destroy();
    return rows.map(({ actor, data_json }) => ({ actor, ...JSON.parse(data_json) }));
  };

  before(async () => {
    [plane, browser] = await Promise.all([startTestControlPlane(), startBrowser()]);
    const dana = await signIn(plane.url, plane.idp.issuer, "dana");
    tokens.dana = dana.apiToken;
    for (const sub of ["audrey", "sam", "eve"])
      tokens[sub] = (await signIn(plane.url, plane.idp.issuer, sub)).apiToken;
    host = await enrol(plane.url, await plane.joinToken("web-1"));
    await upload({ outputs: ["plain text of dana\r\n"] }, "dana", dana.me.memberId ?? "");
    await upload({
      outputs: [`${QUERIES}${HOSTILE}\r\nstill here\r\n`],
      start: {
        command: `run ${HOSTILE} \u202egpj.exe \u0007`,
        member: { id: "mem_x", name: HOSTILE, issuer: "i", subject: "s" },
      },
    });
  });
  after(async () => {
    await browser.close();
    await plane.close();
  });
  afterEach(() => context?.close());

  it("signs in by a link, lists what the person may see, and plays it", async () => {
    await open(await code("audrey"));
    await page.locator("#rows tr").nth(1).waitFor();
    assert.equal(new URL(page.url()).hash, "");
    assert.match(await text("#name"), /^audit@acme\.test \(auditor\), until /);
    await shoot("list");
    const row = page.locator("#rows tr", { hasText: "Dana Doe" });
    assert.match(await contentOf(row), /web-1.*deploy.*web-work.*exit 0/s);
    await row.getByRole("button", { name: "Play the session of Dana Doe on web-1" }).click();
    await page.getByText("plain text of dana").waitFor();
    assert.match(await text("#player-title"), /^Dana Doe as deploy on web-1$/);
    const seen = await audited("recording-viewed");
    assert.deepEqual(seen.at(-1), {
      actor: "audit@acme.test",
      session: sessions[0],
      through: "web page",
    });
    assert.deepEqual(complaints, []);
    assert.ok(
      requests.every((url) => url.startsWith(plane.url)),
      requests.join(" "),
    );
    await shoot("player");
  });

  it("takes names, commands and recordings for text", async () => {
    await open(await code("audrey"));
    const row = page.locator("#rows tr", { hasText: "onerror" });
    await row.waitFor();
    assert.ok((await contentOf(row)).includes(HOSTILE));
    assert.ok((await contentOf(row)).includes("\\u{202e}gpj.exe \\u{7}"));
    const title = await page.title();
    await row.getByRole("button").click();
    await page.getByText("still here").waitFor();
    assert.ok((await text("#player")).includes("<img src=x onerror="));
    assert.equal(await owned(), undefined);
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.evaluate("navigator.clipboard.writeText('mine')");
    await page.locator("#close").click();
    await row.getByRole("button").click();
    await page.getByText("still here").waitFor();
    assert.equal(await page.evaluate("navigator.clipboard.readText()"), "mine");
    assert.equal(await page.title(), title);
    assert.equal(await page.locator("#rows img, #player img, #rows script, #player script").count(), 0);
    assert.deepEqual(complaints, []);
    assert.ok(requests.every((url) => url.startsWith(plane.url)));
  });

  it("shows each no more than the API does", async () => {
    await open(await code("dana"));
    await page.locator("#rows tr").first().waitFor();
    assert.equal(await page.locator("#rows tr").count(), 1);
    assert.equal((await fetchAs("GET", `/sessions/${sessions[1]}/cast`)).status, 404);
    assert.equal((await fetchAs("GET", `/sessions/${sessions[0]}/cast`)).status, 200);
  });

  it("refuses a link that was used, is over, or was made up", async () => {
    const link = await code("audrey");
    await open(link);
    await page.locator("#rows tr").first().waitFor();
    await context.close();
    await open(link);
    await page.getByText("This link is used up or over").waitFor();
    assert.equal(await page.locator("#rows tr").count(), 0);
    assert.deepEqual(await context.cookies(), []);
    const late = await code("audrey");
    plane.clock.offset += 61_000;
    for (const other of [late, `${plane.url}/web#code=${"A".repeat(43)}`]) {
      await page.goto(`${plane.url}/web`);
      await page.getByText("Run: sallyport web").waitFor();
      await page.goto(other);
      await page.getByText("This link is used up or over").waitFor();
    }
    plane.clock.offset = 0;
  });

  it("gives a code to one of two that ask at once", async () => {
    const body = { code: new URL(await code("audrey")).hash.slice("#code=".length) };
    await open(`${plane.url}/web`);
    const answers = await Promise.all(
      [1, 2, 3, 4].map(() => fetchAs("POST", "/session", { origin: plane.url }, body)),
    );
    assert.deepEqual(answers.map(({ status }) => status).sort(), [204, 401, 401, 401]);
  });

  it("does not sign somebody in over somebody else, and the link stays good", async () => {
    await open(await code("audrey"));
    await page.locator("#rows tr").first().waitFor();
    const link = await code("sam");
    await page.goto(`${plane.url}/`);
    await page.goto(link);
    await page.getByText("audit@acme.test is signed in here").waitFor();
    assert.match(await text("#name"), /^audit@acme\.test/);
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByText("Run: sallyport web").waitFor();
    await page.goto(`${plane.url}/`);
    await page.goto(link);
    await page.getByText(/^sec@acme\.test/).waitFor();
  });

  it("has a cookie that no script and no other site gets, and that signing out ends", async () => {
    await open(await code("audrey"));
    await page.locator("#rows tr").first().waitFor();
    const [cookie, ...others] = await context.cookies();
    assert.deepEqual(others, []);
    assert.deepEqual(
      [cookie?.httpOnly, cookie?.sameSite, cookie?.path, cookie?.secure],
      [true, "Strict", "/web", false],
    );
    assert.equal(await page.evaluate("document.cookie"), "");
    const left = (cookie?.expires ?? 0) - Date.now() / 1000;
    assert.ok(left > 3500 && left <= 3600, String(left));
    assert.equal((await fetchAs("GET", "/sessions")).status, 200);
    const kept = `sallyport-web=${cookie?.value}`;
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByText("Run: sallyport web").waitFor();
    assert.equal((await fetchAs("GET", "/sessions", { cookie: kept })).status, 401);
  });

  it("ends with its hour, and with the API token that it came from", async () => {
    await open(await code("audrey"));
    await page.locator("#rows tr").first().waitFor();
    plane.clock.offset += 3600_000;
    assert.equal((await fetchAs("GET", "/sessions")).status, 401);
    plane.clock.offset = 0;
    await context.close();
    const { apiToken } = await signIn(plane.url, plane.idp.issuer, "sam");
    tokens.sam = apiToken;
    await open(await code("sam"));
    await page.locator("#rows tr").first().waitFor();
    const unused = new URL(await code("sam")).hash.slice("#code=".length);
    await call(plane.url, "DELETE", "/token", { token: apiToken });
    assert.equal((await fetchAs("GET", "/sessions")).status, 401);
    const answer = await fetchAs("POST", "/session", { origin: plane.url }, { code: unused });
    assert.equal(answer.status, 401);
  });

  it("changes nothing for another origin, and is read by none", async () => {
    await open(await code("audrey"));
    await page.locator("#rows tr").first().waitFor();
    const body = { code: new URL(await code("audrey")).hash.slice("#code=".length) };
    for (const origin of ["https://evil.test", "null", plane.url.replace("127.0.0.1", "localhost")]) {
      assert.equal((await fetchAs("POST", "/session", { origin }, body)).status, 403);
      assert.equal((await fetchAs("DELETE", "/session", { origin })).status, 403);
    }
    assert.equal((await fetchAs("DELETE", "/session")).status, 403);
    const viewed = (await audited("recording-viewed")).length;
    for (const site of ["cross-site", "same-site", "none"]) {
      const headers = { "sec-fetch-site": site };
      assert.equal((await fetchAs("GET", `/sessions/${sessions[0]}/cast`, headers)).status, 403);
    }
    assert.equal((await audited("recording-viewed")).length, viewed);
    assert.equal((await fetchAs("GET", "/sessions")).status, 200);
    for (const [method, path] of [
      ["POST", "/sessions"],
      ["DELETE", "/sessions"],
      ["PUT", "/session"],
    ] as const)
      assert.equal((await fetchAs(method, path, { origin: plane.url })).status, 404);
    const api = await fetch(`${plane.url}/api/v1/sessions`, {
      headers: { cookie: `sallyport-web=${(await context.cookies())[0]?.value}` },
    });
    assert.equal(api.status, 401);
  });

  it("says in its headers what it may do", async () => {
    const response = await fetch(`${plane.url}/web`);
    const policy = response.headers.get("content-security-policy") ?? "";
    assert.match(policy, /^default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self';/);
    assert.doesNotMatch(policy, /unsafe-inline|'unsafe-eval'|https?:|\*/);
    assert.doesNotMatch(await response.text(), /<script>|<style|\son\w+=|style=/);
    assert.equal(response.headers.get("x-frame-options"), "DENY");
    const missing = await fetch(`${plane.url}/web/sessions/${makeId("ses", 0, new Uint8Array(10))}/cast`);
    assert.equal(missing.status, 401);
    assert.doesNotMatch(missing.headers.get("content-security-policy") ?? "", /script-src/);
  });
});
