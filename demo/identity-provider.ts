import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type ClientMetadata, Provider } from "oidc-provider";
import { providerConfiguration, publicClient } from "./identity-provider/configuration.ts";
import { makeSigningKey, signIdToken, toPrivateJwk } from "./identity-provider/keys.ts";
import { SignIn } from "./identity-provider/sign-in.ts";
import { type DemoUser, UserDirectory } from "./identity-provider/users.ts";

export { DEMO_CODE, type DemoUser } from "./identity-provider/users.ts";

export type IdentityProviderOptions = {
  /** 0 takes a free one. */
  port: number;
  /** Default 127.0.0.1. */
  address?: string;
  users: readonly DemoUser[];
  /** Default: the public client `sallyport-cli`. */
  clients?: ClientMetadata[];
  /** Seconds that ID tokens are valid; default one hour. */
  idTokenLifetime?: number;
  /** Closes the IdP when aborted. */
  signal?: AbortSignal;
};

export type IdentityProvider = {
  issuer: string;
  /** The account can no longer sign in, and its refresh tokens stop working. */
  disableUser(sub: string): void;
  enableUser(sub: string): void;
  /** Signs any claims, under any header, with the IdP's published key, for tests: expired tokens and the like. */
  signIdToken(claims: Record<string, unknown>, header?: Record<string, unknown>): string;
  close(): Promise<void>;
};

/** Starts a real OpenID provider in this process, on loopback, with keys of its own. */
export async function startIdentityProvider(options: IdentityProviderOptions): Promise<IdentityProvider> {
  const address = options.address ?? "127.0.0.1";
  const server = createServer();
  await listen(server, options.port, address);
  const issuer = `http://${address}:${(server.address() as AddressInfo).port}`;

  const users = new UserDirectory(options.users);
  const signingKey = makeSigningKey();
  const provider = new Provider(
    issuer,
    providerConfiguration({
      clients: options.clients ?? [publicClient("sallyport-cli")],
      users,
      signingKey: toPrivateJwk(signingKey),
      idTokenLifetime: options.idTokenLifetime ?? 3600,
    }),
  );
  const signIn = new SignIn(provider, users);
  const answer = provider.callback();
  server.on("request", (req, res) => {
    if (req.url?.startsWith("/interaction/")) {
      signIn.handle(req, res).catch((error: unknown) => {
        console.error("Demo IdP:", error);
        res.writeHead(500).end();
      });
      return;
    }
    forgetBrowserSession(req);
    answer(req, res);
  });

  const close = () => closeServer(server);
  options.signal?.addEventListener("abort", () => void close(), { once: true });
  if (options.signal?.aborted) await close();
  return {
    issuer,
    disableUser: (sub) => users.setDisabled(sub, true),
    enableUser: (sub) => users.setDisabled(sub, false),
    signIdToken: (claims, header) => signIdToken(signingKey, claims, header),
    close,
  };
}

/**
 * Every sign-in asks who you are: in a demo one browser plays both the contractor and the security engineer, so a
 * remembered session would sign the wrong one in.
 */
function forgetBrowserSession(req: IncomingMessage): void {
  if (!/^\/auth(\?|$)/.test(req.url ?? "")) return;
  delete req.headers.cookie;
}

function listen(server: Server, port: number, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, address, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
