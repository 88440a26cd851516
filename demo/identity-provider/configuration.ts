import { randomBytes } from "node:crypto";
import { type ClientMetadata, type Configuration, interactionPolicy } from "oidc-provider";
import { messagePage, signOutPage } from "./pages.ts";
import { memoryStore } from "./store.ts";
import type { UserDirectory } from "./users.ts";

/** `acr` values of this IdP: how the person signed in. */
export const ACR = { password: "urn:sallyport:demo:password", mfa: "urn:sallyport:demo:mfa" } as const;

export const DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code";

/** A public native client: authorization code with PKCE, loopback redirect on any port (RFC 8252); more grants if given. */
export function publicClient(id: string, ...moreGrants: string[]): ClientMetadata {
  return {
    client_id: id,
    application_type: "native",
    token_endpoint_auth_method: "none",
    grant_types: ["authorization_code", "refresh_token", ...moreGrants],
    response_types: ["code"],
    redirect_uris: ["http://127.0.0.1/callback"],
    require_auth_time: true,
  };
}

export type ProviderInputs = {
  clients: ClientMetadata[];
  users: UserDirectory;
  /** Private JWK. */
  signingKey: object;
  /** Seconds. */
  idTokenLifetime: number;
};

/** How oidc-provider behaves in the demo. */
export function providerConfiguration(inputs: ProviderInputs): Configuration {
  // Consent is automatic: the "consent" prompt goes and a grant for all that was asked is made on the way.
  const policy = interactionPolicy.base();
  policy.remove("consent");

  return {
    adapter: memoryStore(),
    clients: inputs.clients,
    jwks: { keys: [inputs.signingKey] },
    cookies: { keys: [randomBytes(32).toString("base64url")] },
    ttl: {
      IdToken: inputs.idTokenLifetime,
      AccessToken: 3600,
      AuthorizationCode: 60,
      Interaction: 600,
      Grant: 86_400,
      RefreshToken: 86_400,
      Session: 86_400,
    },
    pkce: { required: () => true },
    acrValues: Object.values(ACR),
    scopes: ["openid", "profile", "email", "offline_access"],
    claims: {
      openid: ["sub", "acr", "amr", "auth_time"],
      profile: ["name"],
      email: ["email", "email_verified"],
    },
    // The ID token itself carries name and e-mail: whoever checks it offline has no userinfo endpoint to ask.
    conformIdTokenClaims: false,
    features: {
      devInteractions: { enabled: false },
      // For clients that have the grant; that of the demo has not.
      deviceFlow: { enabled: true },
      // `/session/end`: "sign me out", which clients with a `backchannel_logout_uri` are told of.
      rpInitiatedLogout: {
        enabled: true,
        logoutSource: async (ctx, form) => {
          ctx.type = "html";
          ctx.body = signOutPage(form);
        },
        postLogoutSuccessSource: async (ctx) => {
          ctx.type = "html";
          ctx.body = messagePage("Signed out", "You have signed out.");
        },
      },
      backchannelLogout: { enabled: true },
      revocation: { enabled: true },
    },
    // oidc-provider itself calls no address of this machine, and here everything is on it.
    fetch: (url, { dispatcher: _guard, ...init }: RequestInit & { dispatcher?: unknown } = {}) =>
      fetch(url, init),
    interactions: { policy, url: (_ctx, interaction) => `/interaction/${interaction.uid}` },

    async findAccount(_ctx, sub) {
      // A disabled account is no account: its refresh tokens and userinfo stop working at once.
      const user = inputs.users.isDisabled(sub) ? undefined : inputs.users.bySubject(sub);
      if (!user) return undefined;
      return {
        accountId: sub,
        claims: async () => ({
          sub,
          name: user.name,
          email: user.email,
          email_verified: user.emailVerified ?? true,
        }),
      };
    },

    async loadExistingGrant(ctx) {
      const { client, provider, session } = ctx.oidc;
      const grant = new provider.Grant({
        clientId: client?.clientId ?? "",
        accountId: session?.accountId ?? "",
      });
      grant.addOIDCScope([...ctx.oidc.requestParamScopes].join(" "));
      await grant.save();
      return grant;
    },

    async issueRefreshToken(_ctx, client) {
      return client.grantTypeAllowed("refresh_token");
    },

    async renderError(ctx, out) {
      ctx.type = "html";
      ctx.body = messagePage("This sign-in cannot go on", out.error_description ?? out.error);
    },
  };
}
