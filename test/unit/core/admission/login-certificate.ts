import { generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import {
  BINDING_EXTENSION,
  ID_TOKEN_EXTENSION,
  PRINCIPAL,
} from "@sallyport/core/admission/certificate-extensions.ts";
import {
  type IdentityContext,
  type ProvenIdentity,
  verifyIdentity,
} from "@sallyport/core/admission/verify-identity.ts";
import { type Binding, bindingNonce, makeBinding } from "@sallyport/core/binding.ts";
import { type CertificateContent, signCertificate } from "@sallyport/core/ssh/certificate.ts";
import { sshKeyToJwk } from "@sallyport/core/ssh/jwk.ts";
import { publicKeyFromKeyObject } from "@sallyport/core/ssh/public-key.ts";
import { makeContext, makeToken, NOW } from "./identity-provider.ts";

export const ca = generateKeyPairSync("ed25519").privateKey;
export const otherCa = generateKeyPairSync("ed25519").privateKey;
const user = generateKeyPairSync("ed25519").privateKey;
export const userKey = publicKeyFromKeyObject(user);

/** One login's certificate, in parts that a test changes. */
export interface Parts {
  content: Partial<CertificateContent>;
  ca: KeyObject;
  binding: Binding;
  /** Text in place of the binding's JSON; null leaves the extension out. */
  bindingText: string | null | undefined;
  claims: Record<string, unknown>;
  /** Text in place of the token; null leaves the extension out. */
  tokenText: string | null | undefined;
}

/** What the extensions of the certificate are: `claims` commit to `binding` unless they say otherwise. */
export async function makeCertificate(changes: Partial<Parts> = {}): Promise<Uint8Array> {
  const binding = changes.binding ?? makeBinding(sshKeyToJwk(userKey), randomBytes(32));
  const token = changes.tokenText ?? (await makeToken({ nonce: bindingNonce(binding), ...changes.claims }));
  const extensions = new Map<string, Uint8Array>([["permit-pty", new Uint8Array()]]);
  if (changes.bindingText !== null)
    extensions.set(BINDING_EXTENSION, Buffer.from(changes.bindingText ?? JSON.stringify(binding)));
  if (changes.tokenText !== null) extensions.set(ID_TOKEN_EXTENSION, Buffer.from(token));
  const content: CertificateContent = {
    certType: "user",
    publicKey: userKey,
    nonce: randomBytes(32),
    serial: 42n,
    keyId: "alice",
    validPrincipals: [PRINCIPAL],
    validAfter: NOW - 60,
    validBefore: NOW + 3600,
    extensions,
    ...changes.content,
  };
  return signCertificate(content, changes.ca ?? ca);
}

export function identityContext(changes: Partial<IdentityContext> = {}): IdentityContext {
  return { ...makeContext(), userCaKeys: [publicKeyFromKeyObject(ca).blob], ...changes };
}

export async function prove(
  changes: Partial<Parts> = {},
  context = identityContext(),
): Promise<ProvenIdentity> {
  return verifyIdentity(await makeCertificate(changes), context);
}
