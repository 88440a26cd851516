import { generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import { type Binding, makeBinding, proofOfPossession } from "@sallyport/core/binding.ts";
import { SallyportError } from "@sallyport/core/errors.ts";
import type { CertificateRequest, CertificateResponse } from "@sallyport/core/messages/client-api.ts";
import { parseCertificateLine, type SshCertificate } from "@sallyport/core/ssh/certificate.ts";
import { sshKeyToJwk } from "@sallyport/core/ssh/jwk.ts";
import { publicKeyFromKeyObject } from "@sallyport/core/ssh/public-key.ts";
import { signSsh } from "@sallyport/core/ssh/signature.ts";

/** A key pair of this one sign-in, and the binding that the ID token will commit to. */
export interface BoundKey {
  privateKey: KeyObject;
  binding: Binding;
}

/** Makes a fresh Ed25519 key and its binding. */
export function makeBoundKey(): BoundKey {
  const { privateKey } = generateKeyPairSync("ed25519");
  return {
    privateKey,
    binding: makeBinding(sshKeyToJwk(publicKeyFromKeyObject(privateKey)), randomBytes(32)),
  };
}

/** The request for a certificate: ID token, binding, and the proof that we hold the key. `refreshToken` where it is to be kept there. */
export function certificateRequest(
  key: BoundKey,
  { idToken, refreshToken }: { idToken: string; refreshToken: string | null },
  challenge: string,
): CertificateRequest {
  const proof = signSsh(key.privateKey, proofOfPossession(key.binding, idToken, challenge));
  return {
    ...{ v: 1, idToken, binding: key.binding, challenge },
    proof: Buffer.from(proof).toString("base64"),
    ...(refreshToken === null ? {} : { refreshToken }),
  };
}

/** The certificate in an answer, if it is one for our key; undefined for staff, who get none. Code `sign-in-failed`. */
export function issuedCertificate(response: CertificateResponse, key: BoundKey): SshCertificate | undefined {
  if (response.certificate === null) return undefined;
  const certificate = parseCertificateLine(response.certificate.line);
  const own = publicKeyFromKeyObject(key.privateKey);
  if (certificate.certType !== "user" || Buffer.compare(certificate.publicKey.blob, own.blob) !== 0) {
    throw new SallyportError(
      "sign-in-failed",
      "The control plane sent a certificate for another key; tell its administrator.",
    );
  }
  return certificate;
}
