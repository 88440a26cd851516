import type { CertificateResponse } from "@sallyport/core/messages/client-api.ts";
import type { SshCertificate } from "@sallyport/core/ssh/certificate.ts";
import { type Context, nowSeconds } from "../context.ts";
import { keepKey } from "../keys/keep-key.ts";
import { removeKey } from "../keys/remove-key.ts";
import { hostCaKeyLines } from "../ssh-config/known-hosts.ts";
import { writeConfig } from "../ssh-config/write-config.ts";
import { ensureOwnDirectory } from "../state/durable-file.ts";
import { clearLastFailure } from "../state/last-failure.ts";
import {
  formerHosts,
  readSignIn,
  type SignInState,
  writeLastServer,
  writeSignIn,
} from "../state/sign-in-state.ts";
import type { BoundKey } from "./issue.ts";

/** What a sign-in brought. */
export interface SignInResult {
  server: string;
  issuer: string;
  key: BoundKey;
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
    const comment = `sallyport ${new URL(result.server).host}`;
    await keepKey(
      { privateKey: result.key.privateKey, certificate: certificate.blob, comment, lifetimeSeconds },
      context,
    );
  }
  writeSignIn(context, state);
  writeLastServer(context, { v: 1, server: result.server, issuer: result.issuer });
  writeConfig(context, state);
  clearLastFailure(context);
  return state;
}

/** A damaged one is replaced without a word. */
function previousSignIn(context: Context): SignInState | undefined {
  try {
    return readSignIn(context);
  } catch {
    return undefined;
  }
}
