import { SallyportError } from "@sallyport/core/errors.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import * as oidc from "openid-client";
import type { ProviderTokens } from "./authorize.ts";
import type { OfferedIssuer } from "./choose-issuer.ts";
import { discover, nameOf, signInFailure } from "./identity-provider.ts";
import { isHandedOver, scopeFor } from "./scope.ts";

/** Sign-in on another device, RFC 8628: what to open there, and the code that stands for this sign-in. */
export interface DeviceCode {
  address: string;
  code: string;
}

/** How a device sign-in goes. */
export interface DeviceInput {
  issuer: OfferedIssuer;
  timeoutMs: number;
  showCode(code: DeviceCode): void;
}

/**
 * Has the person sign in on another device, and waits for it. The ID token commits to no key: no `nonce` is sent, even to
 * providers that would take one, because whoever can talk somebody into typing a code could bind a key of theirs with it.
 * Such a sign-in is not renewed: a refresh token is only for the control plane, which asks with it. Codes `sign-in-failed`,
 * `sign-in-abandoned`, `issuer-unreachable`.
 */
export async function signInByDevice({ issuer, timeoutMs, showCode }: DeviceInput): Promise<ProviderTokens> {
  const configuration = await discover(issuer);
  const wantsRefreshToken = isHandedOver(issuer);
  if (configuration.serverMetadata().device_authorization_endpoint === undefined) {
    throw new SallyportError(
      "sign-in-failed",
      `${nameOf(issuer)} offers no device sign-in; run sallyport login on a machine that has a browser.`,
    );
  }
  try {
    const { acrValues } = issuer;
    const device = await oidc.initiateDeviceAuthorization(configuration, {
      scope: scopeFor(issuer, wantsRefreshToken, configuration.serverMetadata().scopes_supported),
      ...(acrValues === null ? {} : { acr_values: acrValues }),
    });
    showCode({
      address: printable(device.verification_uri_complete ?? device.verification_uri, 2048),
      code: printable(device.user_code, 64),
    });
    const signal = AbortSignal.timeout(Math.min(timeoutMs, device.expires_in * 1000));
    const tokens = await oidc.pollDeviceAuthorizationGrant(configuration, device, undefined, { signal });
    const refreshToken = (wantsRefreshToken && tokens.refresh_token) || null;
    if (tokens.id_token !== undefined) return { idToken: tokens.id_token, refreshToken };
  } catch (error) {
    throw failureOf(issuer, error);
  }
  throw new SallyportError("sign-in-failed", `${nameOf(issuer)} sent no ID token; tell its administrator.`);
}

function failureOf(issuer: OfferedIssuer, error: unknown): SallyportError {
  const isOver =
    (error instanceof Error && ["AbortError", "TimeoutError"].includes(error.name)) ||
    (error instanceof oidc.ResponseBodyError && error.error === "expired_token");
  if (!isOver) return signInFailure(issuer, error);
  return new SallyportError(
    "sign-in-abandoned",
    "The sign-in was not finished on the other device in time; run sallyport login --device to start again.",
    { cause: error },
  );
}
