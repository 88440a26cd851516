import { type Binding, parseBinding } from "../binding.ts";
import { canonicalJson } from "../canonical-json.ts";
import { isSallyportError } from "../errors.ts";
import { RefusedError } from "../policy/refusal.ts";
import { parseCertificate, type SshCertificate, verifyCertificateSignature } from "../ssh/certificate.ts";
import { sshKeyToJwk } from "../ssh/jwk.ts";
import { fingerprint } from "../ssh/public-key.ts";
import { type Assurance, assuranceOf } from "./assurance.ts";
import {
  BINDING_EXTENSION,
  FRESH_ID_TOKEN_EXTENSION,
  ID_TOKEN_EXTENSION,
  PRINCIPAL,
} from "./certificate-extensions.ts";
import { CLOCK_SKEW, type IdTokenContext, type VerifiedIdToken, verifyIdToken } from "./id-token.ts";
import { verifyFreshToken, verifySignInToken } from "./renewal.ts";

/** What a host keeps of an ID token: all but the lists of groups and the like, which are none of its business. */
export type SignedIn = Omit<VerifiedIdToken, "lists" | "elsewhere">;

/** A person whose identity two independent signatures prove: the user CA's and the IdP's. */
export interface ProvenIdentity {
  token: SignedIn;
  /** Whether the IdP vouched for the key too; an engagement has to accept `brokered`. */
  assurance: Assurance;
  certificateSerial: string;
  /** SHA256 fingerprint of the certified key. */
  keyFingerprint: string;
  /** Seconds since the epoch. */
  validBefore: number;
}

export interface IdentityContext extends IdTokenContext {
  /** Blobs (RFC 4253 encoding) of the pinned user CA keys. */
  userCaKeys: readonly Uint8Array[];
}

/**
 * The first half of admission: who is this? Both signatures are checked here, though sshd has checked the CA's already,
 * because this is the place where one forgotten line of sshd's configuration must not matter. Throws
 * {@link RefusedError}; the codes are those of DESIGN, "Admission, step by step", in that order.
 */
export async function verifyIdentity(
  certificateBlob: Uint8Array,
  context: IdentityContext,
): Promise<ProvenIdentity> {
  const certificate = readCertificate(certificateBlob);
  checkType(certificate);
  checkCriticalOptions(certificate);
  checkPrincipals(certificate);
  checkAuthority(certificate, context.userCaKeys);
  checkValidity(certificate, context.now);
  return {
    ...(await (certificate.extensions.has(FRESH_ID_TOKEN_EXTENSION)
      ? checkRenewed(certificate, context)
      : checkSignedIn(certificate, context))),
    certificateSerial: certificate.serial.toString(),
    keyFingerprint: fingerprint(certificate.publicKey.blob),
    validBefore: certificate.validBefore,
  };
}

type Proven = Pick<ProvenIdentity, "token" | "assurance">;

async function checkSignedIn(certificate: SshCertificate, context: IdentityContext): Promise<Proven> {
  const token = await verifyIdToken(readIdToken(certificate), context);
  const binding = readBinding(certificate);
  const assurance = assuranceOf(token, binding);
  checkBoundKey(binding, certificate);
  return { token: signedIn(token), assurance };
}

/**
 * Two tokens: that of the sign-in has to commit to the key, the fresh one has to be good now. Where the host accepts no
 * renewal of this issuer's sign-ins, the first has to be good now as well.
 */
async function checkRenewed(certificate: SshCertificate, context: IdentityContext): Promise<Proven> {
  const original = await verifySignInToken(readIdToken(certificate), context);
  const binding = readBinding(certificate);
  const assurance = assuranceOf(original.token, binding);
  // Without a nonce neither token would say anything of the key.
  if (assurance !== "bound")
    throw new RefusedError("nonce-mismatch", "the renewed sign-in's ID token commits to no key");
  checkBoundKey(binding, certificate);
  const freshToken = readExtension(certificate, FRESH_ID_TOKEN_EXTENSION);
  const { signIn } = await verifyFreshToken(original, freshToken, context);
  return { token: signedIn(signIn), assurance };
}

function readCertificate(blob: Uint8Array): SshCertificate {
  try {
    return parseCertificate(blob);
  } catch (cause) {
    throw new RefusedError("certificate-malformed", message(cause), { cause });
  }
}

function checkType(certificate: SshCertificate): void {
  if (certificate.certType !== "user")
    throw new RefusedError("certificate-type", "this is a host certificate");
}

function checkCriticalOptions(certificate: SshCertificate): void {
  const names = [...certificate.criticalOptions.keys()];
  if (names.length > 0) {
    throw new RefusedError(
      "certificate-options",
      `critical options we never issue: ${names.join(", ").slice(0, 200)}`,
    );
  }
}

function checkPrincipals(certificate: SshCertificate): void {
  // An empty list means "anybody" to some verifiers; ours names one constant and nothing of the person.
  if (certificate.validPrincipals.length !== 1 || certificate.validPrincipals[0] !== PRINCIPAL) {
    throw new RefusedError("certificate-principals", "the certificate's principals are not ours");
  }
}

function checkAuthority(certificate: SshCertificate, userCaKeys: readonly Uint8Array[]): void {
  const issuing = Buffer.from(certificate.signatureKey.blob);
  if (!userCaKeys.some((blob) => issuing.equals(blob))) {
    throw new RefusedError("certificate-authority", `CA ${fingerprint(issuing)} is not pinned here`);
  }
  try {
    verifyCertificateSignature(certificate);
  } catch (cause) {
    throw new RefusedError("certificate-authority", "the CA's signature does not verify", { cause });
  }
}

function checkValidity(certificate: SshCertificate, now: number): void {
  if (certificate.validAfter > now + CLOCK_SKEW) {
    throw new RefusedError(
      "certificate-validity",
      `begins ${certificate.validAfter - Math.floor(now)} s from now`,
    );
  }
  if (certificate.validBefore <= now) {
    throw new RefusedError(
      "certificate-validity",
      `ended ${Math.floor(now) - certificate.validBefore} s ago`,
    );
  }
}

function readIdToken(certificate: SshCertificate): string {
  const token = readExtension(certificate, ID_TOKEN_EXTENSION);
  if (token === "") throw new RefusedError("token-missing", "the certificate carries no ID token");
  return token;
}

function readExtension(certificate: SshCertificate, name: string): string {
  return Buffer.from(certificate.extensions.get(name) ?? []).toString("latin1");
}

function readBinding(certificate: SshCertificate): Binding {
  const value = certificate.extensions.get(BINDING_EXTENSION);
  if (value === undefined || value.length === 0) {
    throw new RefusedError("binding-missing", "the certificate carries no key binding");
  }
  try {
    return parseBinding(Buffer.from(value).toString("utf8"));
  } catch (cause) {
    throw new RefusedError("binding-malformed", message(cause), { cause });
  }
}

function checkBoundKey(binding: Binding, certificate: SshCertificate): void {
  if (canonicalJson(binding.upk) !== canonicalJson(sshKeyToJwk(certificate.publicKey))) {
    throw new RefusedError("binding-key-mismatch", "the binding is for another key than the certificate's");
  }
}

function message(cause: unknown): string {
  return isSallyportError(cause) ? cause.message : "does not parse";
}

function signedIn({ lists: _lists, elsewhere: _elsewhere, ...token }: VerifiedIdToken): SignedIn {
  return token;
}
