import { bindingNonce } from "@sallyport/core/binding.ts";
import { ControlPlane } from "../api/control-plane.ts";
import { type Context, nowSeconds } from "../context.ts";
import { sentenceFor } from "../report-failure.ts";
import { keepLastFailure } from "../state/last-failure.ts";
import type { SignInState } from "../state/sign-in-state.ts";
import { authorize, type ProviderTokens } from "./authorize.ts";
import { CallbackListener } from "./callback-listener.ts";
import { chooseIssuer, needsHint, type OfferedIssuer } from "./choose-issuer.ts";
import { assertClock } from "./clock-skew.ts";
import { type DeviceCode, signInByDevice } from "./device.ts";
import { type BoundKey, certificateRequest, issuedCertificate, makeBoundKey } from "./issue.ts";
import { isHandedOver } from "./scope.ts";
import { storeSignIn } from "./store.ts";

/** How long a person has in the browser, unless they say otherwise. */
export const BROWSER_TIMEOUT_MS = 5 * 60_000;

/** How to sign in. */
export interface SignInOptions {
  /** Origin of the control plane. */
  server: string;
  /** Which identity provider, where there are several. */
  issuer?: string;
  /** Whose sign-in it is: chooses among identity providers by its domain, and is filled into their form. */
  email?: string;
  /** Asks for that, where there are several and nothing else says which. */
  askEmail?(): Promise<string>;
  /** Sign in on another device, and show there to go; the sign-in is brokered then. */
  showDeviceCode?(code: DeviceCode): void;
  reauthenticate?: boolean;
  timeoutMs?: number;
  /** Brings the address to the person: opens a browser, prints it. */
  showAddress(address: string): void;
}

/**
 * Signs in: asks the control plane who may vouch, sends the person to that identity provider with a nonce that commits to
 * a fresh key, trades ID token and proof for a certificate, and keeps it all. A failure is kept for `sallyport why`.
 */
export async function signIn(context: Context, options: SignInOptions): Promise<SignInState> {
  try {
    const api = new ControlPlane(options.server);
    const configuration = await api.clientConfiguration();
    assertClock(configuration.now, nowSeconds(context));
    const hinted = await withHint(configuration.issuers, options);
    const issuer = chooseIssuer(configuration.issuers, hinted);
    const key = makeBoundKey();
    const by = options.showDeviceCode === undefined ? withBrowser : withDevice;
    return await by(issuer, key, hinted, async ({ idToken, refreshToken }) => {
      const { challenge } = await api.challenge();
      const handedOver = isHandedOver(issuer) ? refreshToken : null;
      const tokens = { idToken, refreshToken: handedOver };
      const response = await api.certificate(certificateRequest(key, tokens, challenge));
      const certificate = issuedCertificate(response, key);
      const { hostCaKeys } = configuration;
      return await storeSignIn(context, {
        server: options.server,
        issuer,
        key,
        idToken,
        refreshToken,
        certificate,
        response,
        hostCaKeys,
      });
    });
  } catch (error) {
    keepLastFailure(context, error);
    throw error;
  }
}

async function withHint(offered: readonly OfferedIssuer[], options: SignInOptions): Promise<SignInOptions> {
  const { askEmail } = options;
  if (askEmail === undefined || !needsHint(offered, options)) return options;
  const email = (await askEmail()).trim();
  return email === "" ? options : { ...options, email };
}

async function withDevice(
  issuer: OfferedIssuer,
  _key: BoundKey,
  options: SignInOptions,
  use: (tokens: ProviderTokens) => Promise<SignInState>,
): Promise<SignInState> {
  const timeoutMs = options.timeoutMs ?? BROWSER_TIMEOUT_MS;
  const showCode = (code: DeviceCode) => options.showDeviceCode?.(code);
  return await use(await signInByDevice({ issuer, timeoutMs, showCode }));
}

/** Runs the browser's part, hands on the ID token, and shows in the browser how the whole of it ended. */
async function withBrowser(
  issuer: OfferedIssuer,
  key: BoundKey,
  options: SignInOptions,
  use: (tokens: ProviderTokens) => Promise<SignInState>,
): Promise<SignInState> {
  const listener = await CallbackListener.open(issuer.redirectPorts);
  try {
    const authorization = await authorize({
      issuer,
      redirectUri: listener.redirectUri,
      nonce: bindingNonce(key.binding),
      reauthenticate: options.reauthenticate ?? false,
      email: options.email,
    });
    const returned = listener.wait(authorization.state, options.timeoutMs ?? BROWSER_TIMEOUT_MS);
    options.showAddress(authorization.address);
    const callback = await returned;
    try {
      const state = await use(await authorization.finish(callback.url));
      await callback.answer(true, "You are signed in", "You can close this tab and go back to the terminal.");
      return state;
    } catch (error) {
      await callback.answer(false, "The sign-in failed", sentenceFor(error));
      throw error;
    }
  } finally {
    listener.close();
  }
}
