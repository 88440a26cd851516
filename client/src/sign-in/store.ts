import type { CertificateResponse, RenewalResponse } from "@sallyport/core/messages/client-api.ts";
import type { SshCertificate } from "@sallyport/core/ssh/certificate.ts";
import { type Context, nowSeconds } from "../context.ts";
import { keepKey } from "../keys/keep-key.ts";
import { removeKey } from "../keys/remove-key.ts";
import type { RenewalGrant } from "../keys/renewal-grant.ts";
import { hostCaKeyLines } from "../ssh-config/known-hosts.ts";
import { writeConfig } from "../ssh-config/write-config.ts";
import { ensureOwnDirectory } from "../state/durable-file.ts";
import { clearLastFailure } from "../state/last-failure.ts";
import {
  formerHosts,
  readSignIn,
  type SignInState,
  withMe,
  writeLastServer,
  writeSignIn,
} from "../state/sign-in-state.ts";
import type { OfferedIssuer } from "./choose-issuer.ts";
import type { BoundKey } from "./issue.ts";
import { isHandedOver } from "./scope.ts";

/** What a sign-in brought. */
export interface SignInResult {
  server: string;
  issuer: OfferedIssuer;
  key: BoundKey;
  idToken: string;
  refreshToken: string | null;
  certificate: SshCertificate | undefined;
  response: CertificateResponse;
  hostCaKeys: readonly string[];
}

/** Keeps a sign-in: key and certificate, API token, hosts; and writes the ssh_config that goes with them. */
export async function storeSignIn(context: Context, result: SignInResult): Promise<SignInState> {
  const { response, certificate } = result;
  const state: SignInState = {
    v: 1,
    server: result.server,
    apiToken: response.apiToken,
    apiTokenExpiresAt: response.apiTokenExpiresAt,
    certificate:
      certificate === undefined
        ? null
        : {
            serial: String(certificate.serial),
            validAfter: certificate.validAfter,
            validBefore: Math.min(certificate.validBefore, 253402300799),
            assurance: response.certificate?.assurance,
          },
    me: response.me,
    formerHosts: formerHosts(previousSignIn(context), response.me),
    hostCaKeys: hostCaKeyLines(result.hostCaKeys),
  };
  ensureOwnDirectory(context.home, context.uid, "server.json");
  if (certificate === undefined) {
    await removeKey(context);
  } else {
    const lifetimeSeconds = Math.min(Math.max(1, certificate.validBefore - nowSeconds(context)), 0xffff_ffff);
    const grant = renewalGrant(result);
    const renewed = grant === undefined ? 0 : grant.until - nowSeconds(context);
    await keepKey(
      {
        privateKey: result.key.privateKey,
        certificate: certificate.blob,
        comment: commentFor(result.server),
        lifetimeSeconds,
        keyLifetimeSeconds: Math.max(lifetimeSeconds, renewed),
      },
      grant,
      context,
    );
  }
  writeSignIn(context, state);
  writeLastServer(context, { v: 1, server: result.server, issuer: result.issuer.issuer });
  writeConfig(context, state);
  clearLastFailure(context);
  return state;
}

/** Keeps what a renewal told: until when, and which hosts. The key and its certificate are kept already. */
export function storeRenewal(context: Context, { certificate, me }: RenewalResponse): void {
  const before = previousSignIn(context);
  if (before === undefined) return;
  const { serial, validAfter, validBefore, assurance } = certificate;
  const state = { ...withMe(before, me), certificate: { serial, validAfter, validBefore, assurance } };
  writeSignIn(context, state);
  writeConfig(context, state);
  clearLastFailure(context);
}

/** How `ssh-add -l` shows keys of this control plane. */
export function commentFor(server: string): string {
  return `sallyport ${new URL(server).host}`;
}

function renewalGrant(result: SignInResult): RenewalGrant | undefined {
  const { server, issuer, key, idToken, refreshToken, response } = result;
  const until = response.renewableUntil;
  if (refreshToken === null || until === null) return undefined;
  const signIn = { v: 1, server, issuer, idToken, binding: key.binding, until } as const;
  return isHandedOver(issuer)
    ? { ...signIn, keeper: "control-plane" }
    : { ...signIn, refreshToken, inDoubt: false };
}

/** A damaged one is replaced without a word. */
function previousSignIn(context: Context): SignInState | undefined {
  try {
    return readSignIn(context);
  } catch {
    return undefined;
  }
}
