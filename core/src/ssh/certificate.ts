import type { KeyObject } from "node:crypto";
import {
  type CertType,
  certificateTypeName,
  certifiedKeyFields,
  certTypeNumber,
  keyTypeOfCertificate,
  MAX_PRINCIPALS,
  readCertifiedKey,
  readCertType,
  readPrincipals,
  readTime,
  timeToUint64,
  writePrincipals,
} from "./certificate-fields.ts";
import { decodeValues, encodeValues, readOptions, writeOptions } from "./certificate-options.ts";
import { formatKeyLine, parseKeyLine } from "./key-line.ts";
import { parsePublicKeyBlob, publicKeyFromKeyObject, type SshPublicKey } from "./public-key.ts";
import { parseSignature, signSsh, verifySsh } from "./signature.ts";
import type { Signer } from "./signer.ts";
import { malformed, SshReader, SshWriter } from "./wire.ts";

/** Largest certificate that is read or made, in bytes. sshd itself stops at 256 KiB, a packet. */
export const MAX_CERTIFICATE = 64 * 1024;

/** A certificate of OpenSSH's PROTOCOL.certkeys. All its text is the CA's word only once its signature is checked. */
export type SshCertificate = {
  certType: CertType;
  /** The certified key. */
  publicKey: SshPublicKey;
  nonce: Uint8Array;
  serial: bigint;
  /** Free text; may hold control characters. */
  keyId: string;
  /** Account or host names. None means "any" to some verifiers: refuse such a certificate. */
  validPrincipals: string[];
  /** First second of validity, since the epoch; 2^64-1 is `Number.MAX_SAFE_INTEGER`. */
  validAfter: number;
  /** First second after validity, since the epoch; 2^64-1 ("forever") is `Number.MAX_SAFE_INTEGER`. */
  validBefore: number;
  /** Name to text, sorted; "" for a flag. Whoever meets a name it does not know must refuse the certificate. */
  criticalOptions: Map<string, string>;
  /** Name to the bytes of the value, sorted; empty for a flag such as permit-pty. */
  extensions: Map<string, Uint8Array>;
  /** The CA's key. Whether it is to be trusted is for the caller to say. */
  signatureKey: SshPublicKey;
  /** The CA's signature blob, see `signature.ts`. */
  signature: Uint8Array;
  /** What was signed: everything before the signature. */
  signedBytes: Uint8Array;
  /** The whole certificate. */
  blob: Uint8Array;
};

/** What a CA says in a certificate. The members are as in {@link SshCertificate}; `nonce` is 32 fresh random bytes. */
export type CertificateContent = Pick<
  SshCertificate,
  "certType" | "publicKey" | "nonce" | "serial" | "keyId" | "validAfter" | "validBefore"
> & {
  validPrincipals: readonly string[];
  criticalOptions?: ReadonlyMap<string, string>;
  extensions?: ReadonlyMap<string, Uint8Array>;
};

/**
 * Reads a certificate blob, its structure only: the signature is not checked, nor the times. The result holds a
 * copy. Codes: `ssh-malformed` (also over {@link MAX_CERTIFICATE}, options unsorted or twice, or a signature that is
 * not of the CA key's type); `ssh-unsupported` for unknown key, certificate or signature types, which a CA key that
 * is itself a certificate falls under.
 */
export function parseCertificate(blob: Uint8Array): SshCertificate {
  if (blob.length > MAX_CERTIFICATE) throw malformed(`A certificate of ${blob.length} bytes is too long.`);
  const copy = new Uint8Array(blob);
  const reader = new SshReader(copy);
  const type = keyTypeOfCertificate(reader.text());
  const nonce = reader.string();
  const publicKey = readCertifiedKey(reader, type);
  const serial = reader.uint64();
  const certType = readCertType(reader);
  const keyId = reader.text();
  const validPrincipals = readPrincipals(reader);
  const validAfter = readTime(reader);
  const validBefore = readTime(reader);
  const criticalOptions = decodeValues(readOptions(reader.string()));
  const extensions = readOptions(reader.string());
  reader.string(); // "reserved": PROTOCOL.certkeys says to ignore it
  const signatureKey = parsePublicKeyBlob(reader.string());
  const signedBytes = copy.subarray(0, reader.offset);
  const signature = reader.string();
  reader.end();
  parseSignature(signatureKey, signature);
  const validity = { validPrincipals, validAfter, validBefore, criticalOptions, extensions };
  const signed = { signatureKey, signature, signedBytes, blob: copy };
  return { certType, publicKey, nonce, serial, keyId, ...validity, ...signed };
}

/**
 * Returns when the certificate was signed by its own `signatureKey`; otherwise throws `ssh-bad-signature`. Whether
 * that key is a CA to trust, and everything the certificate says, remain to be checked.
 */
export function verifyCertificateSignature(cert: SshCertificate): void {
  verifySsh(cert.signatureKey, cert.signedBytes, cert.signature);
}

/**
 * Makes and signs a certificate with a key in memory; returns its blob. Pickier than the format: see
 * {@link assertContent}. Content that does not pass, or makes more than {@link MAX_CERTIFICATE}, is a `TypeError`. Code
 * `ssh-unsupported` for a CA key that SSH cannot use.
 */
export function signCertificate(content: CertificateContent, caPrivateKey: KeyObject): Uint8Array {
  const signedBytes = bytesToSign(content, publicKeyFromKeyObject(caPrivateKey));
  return withSignature(signedBytes, signSsh(caPrivateKey, signedBytes));
}

/** The same with a key that may be elsewhere. Rejects as the signer does, too. */
export async function signCertificateWith(content: CertificateContent, ca: Signer): Promise<Uint8Array> {
  const signedBytes = bytesToSign(content, ca.publicKey);
  return withSignature(signedBytes, await ca.sign(signedBytes));
}

function bytesToSign(content: CertificateContent, ca: SshPublicKey): Uint8Array {
  assertContent(content);
  return new SshWriter()
    .text(certificateTypeName(content.publicKey.type))
    .string(content.nonce)
    .raw(certifiedKeyFields(content.publicKey))
    .uint64(content.serial)
    .uint32(certTypeNumber(content.certType))
    .text(content.keyId)
    .string(writePrincipals(content.validPrincipals))
    .uint64(timeToUint64(content.validAfter))
    .uint64(timeToUint64(content.validBefore))
    .string(writeOptions(encodeValues(content.criticalOptions ?? new Map())))
    .string(writeOptions(content.extensions ?? new Map()))
    .string(new Uint8Array()) // "reserved"
    .string(ca.blob)
    .bytes();
}

function withSignature(signedBytes: Uint8Array, signature: Uint8Array): Uint8Array {
  const blob = new SshWriter().raw(signedBytes).string(signature).bytes();
  if (blob.length > MAX_CERTIFICATE)
    throw new TypeError(`a certificate has at most ${MAX_CERTIFICATE} bytes`);
  return blob;
}

/** Writes one line of a `-cert.pub` file without a line end. Codes as {@link parseCertificate}. */
export function formatCertificateLine(blob: Uint8Array, comment?: string): string {
  return formatKeyLine(certificateTypeName(parseCertificate(blob).publicKey.type), blob, comment);
}

/** Reads one line of a `-cert.pub` file; the comment is dropped. Codes as {@link parseCertificate}. */
export function parseCertificateLine(line: string): SshCertificate {
  const { type, blob } = parseKeyLine(line, MAX_CERTIFICATE);
  const cert = parseCertificate(blob);
  if (type !== certificateTypeName(cert.publicKey.type))
    throw malformed("A line names another type than its key.");
  return cert;
}

/**
 * What no CA of ours ever means to sign: no principals, which some verifiers take for "any"; principals or a key id
 * that could start a line of their own in a log or an sshd file; a validity that is empty; a short nonce.
 */
function assertContent({ nonce, keyId, validPrincipals, validAfter, validBefore }: CertificateContent): void {
  if (nonce.length !== 32) throw new TypeError("a certificate's nonce has 32 bytes");
  if (keyId.length > 1024 || /\p{Cc}/u.test(keyId)) {
    throw new TypeError("a key id has at most 1024 characters, none of them control characters");
  }
  if (validPrincipals.length === 0 || validPrincipals.length > MAX_PRINCIPALS) {
    throw new TypeError(`a certificate has 1 to ${MAX_PRINCIPALS} principals`);
  }
  if (!validPrincipals.every((principal) => /^[\x21-\x2b\x2d-\x7e]{1,255}$/.test(principal))) {
    throw new TypeError("a principal is at most 255 characters of ASCII without spaces and commas");
  }
  if (validAfter >= validBefore) throw new TypeError("a certificate's validity ends after it begins");
}
