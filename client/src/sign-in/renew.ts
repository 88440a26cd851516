import { proofForRenewal } from "@sallyport/core/binding.ts";
import { isSallyportError, SallyportError } from "@sallyport/core/errors.ts";
import type { RenewalRequest, RenewalResponse } from "@sallyport/core/messages/client-api.ts";
import { parseCertificateLine, type SshCertificate } from "@sallyport/core/ssh/certificate.ts";
import { ControlPlane } from "../api/control-plane.ts";
import { type Context, nowSeconds } from "../context.ts";
import { keepCertificate, keepState } from "../keys/keep-key.ts";
import { removeKey } from "../keys/remove-key.ts";
import { renewalDue } from "../keys/renewal-due.ts";
import {
  isOwn,
  type OwnGrant,
  type RenewalGrant,
  readGrant,
  removeGrant,
  writeGrant,
} from "../keys/renewal-grant.ts";
import { signWithKey } from "../keys/sign-with-key.ts";
import { usableKey } from "../keys/usable-key.ts";
import { type KeyState, readKeyState } from "../state/key-state.ts";
import { keepLastFailure } from "../state/last-failure.ts";
import { takeTurn } from "../state/one-at-a-time.ts";
import { statePaths } from "../state/paths.ts";
import { noLongerVouched, refresh } from "./refresh.ts";
import { commentFor, storeRenewal } from "./store.ts";

/** How long a renewal may keep an ssh waiting, in all; then it goes on with what is there. */
const PATIENCE_MS = 5000;
/** Seconds until the next attempt, where one failed for now. */
const NEXT_ATTEMPT = 60;

/**
 * Renews the certificate without its holder, one process at a time. Undefined where that is not possible, or not now: then what
 * is there will do, or a sign-in is needed. Throws what its holder has to be told: `sign-in-failed` when the identity provider no
 * longer vouches for them, and the control plane's refusals `forbidden`, `not-invited` and `conflict`.
 */
export async function renewKey(context: Context): Promise<KeyState | undefined> {
  const paths = statePaths(context.home);
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const turn = await takeTurn(paths.turn, PATIENCE_MS);
  try {
    // Two at once would use one refresh token twice, which looks like a theft to the identity provider.
    if (turn.taken) return undefined;
    const brought = turn.waited ? await usableKey(context) : undefined;
    if (brought !== undefined && !renewalDue(brought, context.now() / 1000)) return brought;
    const key = readKeyState(paths.key);
    const grant = key && readGrant(key);
    if (key?.renewal == null || grant === undefined) return undefined;
    const renewal = { context, key: { ...key, renewal: key.renewal }, signal };
    // Where the control plane has the refresh token, it asks the identity provider itself.
    return isOwn(grant) ? await renew({ ...renewal, grant }) : await certify({ ...renewal, grant });
  } finally {
    await turn.release();
  }
}

interface Renewal {
  context: Context;
  key: KeyState & { renewal: NonNullable<KeyState["renewal"]> };
  grant: RenewalGrant;
  signal: AbortSignal;
}

async function renew(renewal: Renewal & { grant: OwnGrant }): Promise<KeyState | undefined> {
  const { context, key } = renewal;
  const { file } = key.renewal;
  let freshIdToken: string;
  let grant = renewal.grant;
  try {
    const answer = await refresh(grant, renewal.signal, () => writeGrant(file, { ...grant, inDoubt: true }));
    if (answer.outcome === "no-longer-vouched" && !grant.inDoubt) {
      await removeKey(context);
      throw kept(context, answer.error);
    }
    if (answer.outcome !== "fresh") return withoutRenewal(renewal);
    freshIdToken = answer.idToken;
    // Before anything else: a crash from here on loses no refresh token.
    grant = { ...grant, refreshToken: answer.refreshToken, inDoubt: false };
    writeGrant(file, grant);
  } catch (error) {
    if (isSallyportError(error, "sign-in-failed")) throw error;
    return later(renewal);
  }
  return certify({ ...renewal, grant }, freshIdToken);
}

async function certify(renewal: Renewal, freshIdToken?: string): Promise<KeyState | undefined> {
  const { context, key, grant, signal } = renewal;
  try {
    const api = new ControlPlane(grant.server);
    const { challenge } = await api.challenge(signal);
    const request = await renewalRequest(renewal, freshIdToken, challenge);
    if (request === undefined) return withoutRenewal(renewal);
    const response = await api.renewCertificate(request, signal);
    const certificate = ownCertificate(response, key);
    const held = { ...key, renewal: { file: key.renewal.file, until: response.renewableUntil } };
    const state = keepCertificate(held, certificate.blob, commentFor(grant.server), context);
    storeRenewal(context, response);
    return state;
  } catch (error) {
    return afterRefusal(renewal, error);
  }
}

async function renewalRequest(
  { context, key, grant }: Renewal,
  freshIdToken: string | undefined,
  challenge: string,
): Promise<RenewalRequest | undefined> {
  const { binding, idToken } = grant;
  const statement = proofForRenewal(binding, { idToken, freshIdToken }, challenge);
  const proof = await signWithKey(key, statement, context);
  if (proof === undefined) return undefined;
  const request = {
    v: 1,
    idToken,
    binding,
    challenge,
    proof: Buffer.from(proof).toString("base64"),
  } as const;
  return freshIdToken === undefined ? request : { ...request, freshIdToken };
}

function ownCertificate(response: RenewalResponse, key: KeyState): SshCertificate {
  const certificate = parseCertificateLine(response.certificate.line);
  const own = Buffer.from(key.publicKey, "base64");
  if (certificate.certType === "user" && own.equals(certificate.publicKey.blob)) return certificate;
  throw new SallyportError(
    "message-malformed",
    "The control plane sent a certificate for another key; tell its administrator.",
  );
}

async function afterRefusal(renewal: Renewal, error: unknown): Promise<KeyState | undefined> {
  const { context, grant } = renewal;
  const code = isSallyportError(error) ? error.code : undefined;
  switch (code) {
    case "no-longer-vouched":
      await removeKey(context);
      throw kept(context, noLongerVouched(grant, "so it told the control plane", error));
    case "forbidden":
    case "not-invited":
      await withoutRenewal(renewal);
      throw kept(context, error);
    case "conflict":
      // No engagement runs. A certificate that is still good leads to a host, which says so too.
      if ((await usableKey(context)) === undefined) throw kept(context, error);
      return later(renewal);
    case "token-invalid":
    case "proof-invalid":
    case "binding-invalid":
      return withoutRenewal(renewal);
    default:
      return later(renewal);
  }
}

/** Not now: what is there will do for as long as it is good; an ssh in a minute tries again. */
function later({ context, key }: Renewal): undefined {
  keepState({ ...key, renewal: { ...key.renewal, from: nowSeconds(context) + NEXT_ATTEMPT } }, context);
  return undefined;
}

/** Never again: the certificate stays until it ends, then somebody has to sign in. */
function withoutRenewal({ context, key }: Renewal): undefined {
  removeGrant(key);
  keepState({ ...key, renewal: null }, context);
  return undefined;
}

function kept(context: Context, error: unknown): unknown {
  keepLastFailure(context, error);
  return error;
}
