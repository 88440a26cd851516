import { SallyportError } from "../errors.ts";
import { type EcCurve, ecCurve, ecKeyType, isSshKeyType, type SshKeyType } from "./key-type.ts";
import { malformed, SshReader, SshWriter } from "./wire.ts";

/** A public key as the required members of RFC 7638 §3.2, in its lexical order. All values are base64url. */
export type PublicJwk =
  | { crv: "Ed25519"; kty: "OKP"; x: string }
  | { crv: "P-256" | "P-384" | "P-521"; kty: "EC"; x: string; y: string }
  | { e: string; kty: "RSA"; n: string };

/** A public key blob of more bytes than this is refused unread: RSA 16384 needs 2,100. */
const MAX_BLOB = 8192;
const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 16384;
/** OpenSSL refuses longer exponents with large moduli, as they make a signature slow to check. */
const MAX_RSA_EXPONENT_BITS = 64;

/**
 * Reads a public key blob (RFC 4253 §6.6, RFC 5656 §3.1, RFC 8709 §4) into its type and JWK members. That a point
 * is on its curve is left to `node:crypto`. Codes: `ssh-malformed`; `ssh-unsupported` for another key type and for
 * RSA outside 2048 to 16384 bits.
 */
export function decodeMembers(blob: Uint8Array): { type: SshKeyType; jwk: PublicJwk } {
  if (blob.length > MAX_BLOB) throw malformed(`A public key of ${blob.length} bytes is too long.`);
  const reader = new SshReader(blob);
  const type = reader.text();
  if (!isSshKeyType(type))
    throw new SallyportError("ssh-unsupported", "The public key is of an unknown type.");
  const curve = ecCurve(type);
  const jwk = curve ? readEc(reader, curve) : type === "ssh-rsa" ? readRsa(reader) : readEd25519(reader);
  reader.end();
  return { type, jwk };
}

/**
 * Writes the blob for JWK members as `node:crypto` exports them (more may be there). It checks nothing but `kty` and
 * `crv`, so parse what it returns. Code `ssh-unsupported` for any other kind of key.
 */
export function encodeMembers(jwk: JsonWebKeyMembers): Uint8Array {
  const writer = new SshWriter();
  if (jwk.kty === "OKP" && jwk.crv === "Ed25519")
    return writer.text("ssh-ed25519").string(octets(jwk.x)).bytes();
  if (jwk.kty === "RSA") return writer.text("ssh-rsa").mpint(integer(jwk.e)).mpint(integer(jwk.n)).bytes();
  const type = jwk.kty === "EC" ? ecKeyType(jwk.crv) : undefined;
  const curve = type && ecCurve(type);
  if (!curve) throw new SallyportError("ssh-unsupported", "The key is not one that SSH can use here.");
  const point = Buffer.concat([Uint8Array.of(UNCOMPRESSED), octets(jwk.x), octets(jwk.y)]);
  return writer.text(type).text(curve.identifier).string(point).bytes();
}

/** The members that {@link encodeMembers} looks at. */
export type JsonWebKeyMembers = Partial<Record<"kty" | "crv" | "x" | "y" | "e" | "n", unknown>>;

/** First byte of an elliptic curve point that is not compressed (SEC 1 §2.3.3), the only form OpenSSH takes. */
const UNCOMPRESSED = 4;

function readEd25519(reader: SshReader): PublicJwk {
  const x = reader.string();
  if (x.length !== 32) throw malformed(`An Ed25519 public key has 32 bytes, not ${x.length}.`);
  return { crv: "Ed25519", kty: "OKP", x: base64url(x) };
}

function readEc(reader: SshReader, { identifier, crv, size }: EcCurve): PublicJwk {
  if (reader.text() !== identifier) throw malformed("An ECDSA key names another curve than its type.");
  const point = reader.string();
  if (point.length !== 1 + 2 * size || point[0] !== UNCOMPRESSED) {
    throw malformed("An ECDSA public key is not an uncompressed point of its curve's size.");
  }
  return {
    crv,
    kty: "EC",
    x: base64url(point.subarray(1, 1 + size)),
    y: base64url(point.subarray(1 + size)),
  };
}

function readRsa(reader: SshReader): PublicJwk {
  const e = reader.mpint();
  const n = reader.mpint();
  // Exponent 1 would let anyone sign; even numbers are never RSA keys.
  if (e < 3n || e % 2n === 0n || n < 0n || n % 2n === 0n)
    throw malformed("The numbers of an RSA key make no key.");
  const bits = bitLength(n);
  if (bits < MIN_RSA_BITS || bits > MAX_RSA_BITS || bitLength(e) > MAX_RSA_EXPONENT_BITS) {
    const range = `${MIN_RSA_BITS} to ${MAX_RSA_BITS} bits, exponent up to ${MAX_RSA_EXPONENT_BITS}`;
    throw new SallyportError(
      "ssh-unsupported",
      `An RSA key of ${bits} bits is outside what is accepted: ${range}.`,
    );
  }
  return { e: base64url(magnitude(e)), kty: "RSA", n: base64url(magnitude(n)) };
}

function bitLength(value: bigint): number {
  return value.toString(2).length;
}

function magnitude(value: bigint): Uint8Array {
  const hex = value.toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex");
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64url");
}

function octets(value: unknown): Uint8Array {
  if (typeof value !== "string") throw malformed("A member of a key is not a string.");
  if (value.length > MAX_BLOB / 2) throw malformed("A member of a key is too long.");
  return Buffer.from(value, "base64url");
}

function integer(value: unknown): bigint {
  return BigInt(`0x0${Buffer.from(octets(value)).toString("hex")}`);
}
