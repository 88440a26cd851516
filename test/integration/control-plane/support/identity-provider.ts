import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Provider } from "oidc-provider";

/** A person at the test IdP. */
export interface Account {
  sub: string;
  email: string;
  emailVerified: boolean;
  name: string;
  amr: string[];
  groups?: string[];
}

export const REDIRECT_URI = "http://127.0.0.1/callback";

/** A real `oidc-provider` on loopback that signs in whoever `login_hint` names, without asking. */
export interface TestIdentityProvider {
  issuer: string;
  accounts: Map<string, Account>;
  /** Its signing key, for tests that forge tokens. */
  signingKey: { privateKey: KeyObject; publicKey: KeyObject; kid: string };
  /** Changes what it answers, as a hostile or broken one would; undefined leaves it alone. */
  rewrite: ((path: string, body: Record<string, unknown>) => Record<string, unknown>) | undefined;
  /** Where logout tokens go; undefined delivers none. */
  logoutUri: string | undefined;
  /** What came back for each logout token that was delivered. */
  logoutAnswers: number[];
  /**
   * Asked before each request, and once more when its answer is ready but not sent: `drop` cuts the connection there, a number is
   * answered as a status.
   */
  intercept: ((path: string, when: "request" | "answer") => Promise<"drop" | number | undefined>) | undefined;
  close(): Promise<void>;
}

/** A confidential client, that may introspect. */
export const SERVER_CLIENT = {
  clientId: "sallyport-server",
  clientSecret: "a secret of: the control plane's",
};

/** `namesSessions`: logout tokens and ID tokens carry `sid`. */
export async function startIdentityProvider(
  options: { namesSessions?: boolean } = {},
): Promise<TestIdentityProvider> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const accounts = new Map<string, Account>();
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const kid = "test-key";
  const client = (client_id: string) => ({
    client_id,
    token_endpoint_auth_method: "none" as const,
    application_type: "native" as const,
    redirect_uris: [REDIRECT_URI],
    grant_types: ["authorization_code", "refresh_token"],
    backchannel_logout_uri: "https://control-plane.test/backchannel-logout",
    backchannel_logout_session_required: options.namesSessions ?? false,
  });
  const provider = new Provider(issuer, {
    clients: [
      client("sallyport-cli"),
      client("another-app"),
      {
        client_id: SERVER_CLIENT.clientId,
        client_secret: SERVER_CLIENT.clientSecret,
        ...{ redirect_uris: [], response_types: [], grant_types: [] },
      },
    ],
    jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), kid, alg: "RS256", use: "sig" }] },
    claims: { openid: ["sub", "amr"], email: ["email", "email_verified"], profile: ["name", "groups"] },
    conformIdTokenClaims: false,
    issueRefreshToken: async () => true,
    rotateRefreshToken: true,
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      introspection: { enabled: true },
      revocation: { enabled: true },
    },
    fetch: (_url, init = {}) => deliver(idp, init),
    cookies: { keys: ["test"] },
    pkce: { required: () => true },
    interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_context, sub) => {
      const account = accounts.get(sub);
      if (account === undefined) return undefined;
      const { email, emailVerified, name, groups = [] } = account;
      const claims = { sub, email, email_verified: emailVerified, name, groups };
      return { accountId: sub, claims: () => claims };
    },
  });
  provider.use(async (context, next) => {
    await next();
    const body: unknown = context.body;
    if (idp.rewrite !== undefined && typeof body === "object" && body !== null)
      context.body = idp.rewrite(context.path, body as Record<string, unknown>);
    if ((await idp.intercept?.(context.path, "answer")) === "drop") {
      context.respond = false;
      context.req.socket.destroy();
    }
  });
  const callback = provider.callback();
  server.on("request", (request, response) => {
    void (async () => {
      const { pathname } = new URL(request.url ?? "/", issuer);
      const verdict = await idp.intercept?.(pathname, "request");
      if (verdict === "drop") return request.socket.destroy();
      if (verdict !== undefined) return response.writeHead(verdict).end();
      if (!pathname.startsWith("/interaction/")) return callback(request, response);
      const { params, prompt, grantId, session } = await provider.interactionDetails(request, response);
      if (prompt.name === "login") {
        const accountId = String(params.login_hint);
        const amr = accounts.get(accountId)?.amr ?? [];
        return provider.interactionFinished(request, response, { login: { accountId, amr } });
      }
      const known = grantId === undefined ? undefined : await provider.Grant.find(grantId);
      const grant =
        known ??
        new provider.Grant({ accountId: session?.accountId ?? "", clientId: String(params.client_id) });
      grant.addOIDCScope("openid email profile");
      return provider.interactionFinished(
        request,
        response,
        { consent: { grantId: await grant.save() } },
        {
          mergeWithLastSubmission: true,
        },
      );
    })();
  });
  const idp: TestIdentityProvider = {
    issuer,
    accounts,
    rewrite: undefined,
    intercept: undefined,
    logoutUri: undefined,
    logoutAnswers: [],
    signingKey: { privateKey, publicKey, kid },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return idp;
}

/** Delivers a logout token as it is to where it shall go: oidc-provider itself calls no address of this machine. */
async function deliver(idp: TestIdentityProvider, { body }: RequestInit): Promise<Response> {
  if (idp.logoutUri === undefined) return new Response(null, { status: 200 });
  const response = await fetch(idp.logoutUri, { method: "POST", body: body ?? null });
  idp.logoutAnswers.push(response.status);
  return response;
}
