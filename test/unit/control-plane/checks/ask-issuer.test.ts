import assert from "node:assert/strict";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import {
  askByIntrospection,
  askByRefresh,
  type IssuerAnswer,
  type IssuerQuestion,
} from "@sallyport/control-plane/checks/ask-issuer.ts";
import { CheckConfiguration } from "@sallyport/control-plane/checks/check-configuration.ts";
import { IssuerEndpoints } from "@sallyport/control-plane/checks/issuer-endpoints.ts";

const TOKEN = "rt-that-nobody-may-see";

describe("asking an IdP about a refresh token", () => {
  let server: Server;
  let issuer: string;
  let answer: (response: ServerResponse) => void;
  let asked: { authorization: string | undefined; form: URLSearchParams };

  before(async () => {
    server = createServer((request, response) => {
      if (request.url?.startsWith("/.well-known/"))
        return void response.end(
          JSON.stringify({
            issuer,
            token_endpoint: `${issuer}/token`,
            introspection_endpoint: `${issuer}/introspect`,
          }),
        );
      let body = "";
      request.setEncoding("utf8").on("data", (chunk: string) => {
        body += chunk;
      });
      request.on("end", () => {
        asked = { authorization: request.headers.authorization, form: new URLSearchParams(body) };
        answer(response);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => {
    server.close();
    server.closeAllConnections();
  });

  function question(preset: IssuerQuestion["issuer"]["preset"] = "generic", url = issuer): IssuerQuestion {
    const check = CheckConfiguration.parse({
      ...{ by: "introspection", timeout: 1 },
      introspection: { clientId: "the plane", clientSecretFile: "/secret" },
    });
    return {
      issuer: {
        issuer: url,
        clientId: "cli",
        clientSecret: null,
        preset,
        check: { ...check, required: true },
      },
      ...{ introspectionSecret: "s:cret", subject: "dana", refreshToken: TOKEN },
    };
  }

  const reply = (status: number, body: unknown, headers = {}) => {
    answer = (response) =>
      void response.writeHead(status, headers).end(typeof body === "string" ? body : JSON.stringify(body));
  };
  /** In short: what came of it, and whether the token may be another one now. */
  const short = (got: IssuerAnswer) => {
    assert.ok(!JSON.stringify({ ...got, refreshToken: "" }).includes(TOKEN));
    if (got.kind === "silent")
      return `silent ${got.mayHaveRotated ? "in doubt" : "as before"}: ${got.problem}`;
    return got.kind === "refuses" ? `refuses: ${got.answer}` : `vouches ${got.refreshToken} ${got.idToken}`;
  };
  const refresh = async (preset?: IssuerQuestion["issuer"]["preset"]) =>
    short(await askByRefresh(new IssuerEndpoints(Date.now), question(preset)));
  const introspect = async () => short(await askByIntrospection(new IssuerEndpoints(Date.now), question()));

  const refused = (error: string, error_description?: string) => ({ error, error_description });
  const rows: [what: string, status: number, body: unknown, said: string | RegExp][] = [
    ["tokens", 200, { access_token: "a", refresh_token: "r2", id_token: "i" }, "vouches r2 i"],
    ["no new refresh token", 200, { access_token: "a", id_token: "i" }, "vouches undefined i"],
    ["an answer of another kind", 200, {}, /^silent in doubt: its answer is not/],
    ["no JSON", 200, "<html>", /^silent in doubt/],
    [
      "invalid_grant",
      400,
      refused("invalid_grant", "Session not active"),
      "refuses: invalid_grant: Session not active",
    ],
    ["invalid_grant of Auth0", 403, refused("invalid_grant"), "refuses: invalid_grant"],
    [
      "interaction_required",
      400,
      refused("interaction_required", "AADSTS50076: first\r\nTrace ID: 1"),
      /AADSTS50076: first$/,
    ],
    [
      "a terminal's control characters",
      400,
      refused("invalid_grant", "\u001b[2J"),
      "refuses: invalid_grant: \\u{1b}[2J",
    ],
    ["an unknown client", 401, refused("invalid_client"), /^silent as before: it refuses us, not the person/],
    ["an error of nobody's", 400, refused("unsupported_grant_type"), /^silent as before/],
    ["too many questions", 429, refused("invalid_grant"), "silent as before: it asks us to slow down (429)"],
    ["a server's trouble", 503, "", "silent in doubt: it answered 503"],
    ["invalid_grant of a broken server", 500, refused("invalid_grant"), "silent in doubt: it answered 500"],
    ["a redirect", 302, "", /^silent in doubt/],
    ["a firewall's page", 403, "<html>", "silent in doubt: it answered 403"],
    ["more than we read", 200, `"${"x".repeat(200_000)}"`, /^silent in doubt: an answer of more than/],
  ];
  for (const [what, status, body, said] of rows)
    it(`takes ${what} for what it is`, async () => {
      reply(status, body, status === 302 ? { location: "http://127.0.0.1:1/" } : {});
      const got = await refresh();
      if (typeof said === "string") assert.equal(got, said);
      else assert.match(got, said);
      assert.deepEqual(Object.fromEntries(asked.form), {
        grant_type: "refresh_token",
        refresh_token: TOKEN,
        client_id: "cli",
      });
    });

  it("takes `unauthorized` for a word about the person from Auth0 only, which says so of the blocked", async () => {
    reply(401, refused("unauthorized", "user is blocked"));
    assert.match(await refresh(), /^silent/);
    assert.equal(await refresh("auth0"), "refuses: unauthorized: user is blocked");
  });

  it("does not wait longer than it may, and knows that the token may be another then", async () => {
    answer = () => {};
    assert.equal(await refresh(), "silent in doubt: no answer in time");
  });

  it("is in no doubt where the question never left", async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(closed.address() as AddressInfo).port}`;
    await new Promise((resolve) => closed.close(resolve));
    const got = await askByRefresh(new IssuerEndpoints(Date.now), question("generic", url));
    assert.equal(short(got), "silent as before: no answer (ECONNREFUSED)");
  });

  it("heeds retry-after", async () => {
    reply(429, "", { "retry-after": "17" });
    const got = await askByRefresh(new IssuerEndpoints(Date.now), question());
    assert.equal(got.kind === "silent" && got.retryAfter, 17);
  });

  it("introspects as a client of its own", async () => {
    reply(200, { active: true, sub: "dana" });
    assert.equal(await introspect(), "vouches undefined undefined");
    assert.equal(asked.authorization, `Basic ${Buffer.from("the+plane:s%3Acret").toString("base64")}`);
    assert.deepEqual(Object.fromEntries(asked.form), { token: TOKEN, token_type_hint: "refresh_token" });
    reply(200, { active: false });
    assert.equal(await introspect(), "refuses: introspection: not active");
    reply(200, { active: true, sub: "eve" });
    assert.equal(await introspect(), "refuses: introspection: another subject");
    reply(200, { active: true });
    assert.equal(await introspect(), "silent as before: it does not say whose the token is");
    reply(401, refused("invalid_client"));
    assert.match(await introspect(), /^silent as before/);
  });
});
