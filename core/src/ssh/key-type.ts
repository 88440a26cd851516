/** The plain public key types we know: RFC 8709, RFC 5656 and RFC 4253 §6.6. */
export type SshKeyType =
  | "ssh-ed25519"
  | "ecdsa-sha2-nistp256"
  | "ecdsa-sha2-nistp384"
  | "ecdsa-sha2-nistp521"
  | "ssh-rsa";

/** A curve: its identifier in RFC 5656 §6.1, its name in JWK, and the bytes of one coordinate. */
export type EcCurve = { identifier: string; crv: "P-256" | "P-384" | "P-521"; size: number };

const EC_CURVES: Partial<Record<SshKeyType, EcCurve>> = {
  "ecdsa-sha2-nistp256": { identifier: "nistp256", crv: "P-256", size: 32 },
  "ecdsa-sha2-nistp384": { identifier: "nistp384", crv: "P-384", size: 48 },
  "ecdsa-sha2-nistp521": { identifier: "nistp521", crv: "P-521", size: 66 },
};

/** Every key type, and how many `string`s or `mpint`s follow its name in a public key blob. */
const FIELD_COUNT: Record<SshKeyType, number> = {
  "ssh-ed25519": 1,
  "ecdsa-sha2-nistp256": 2,
  "ecdsa-sha2-nistp384": 2,
  "ecdsa-sha2-nistp521": 2,
  "ssh-rsa": 2,
};

/** True for the five names of {@link SshKeyType}; false for certificates, security keys and DSA. */
export function isSshKeyType(name: string): name is SshKeyType {
  return Object.hasOwn(FIELD_COUNT, name);
}

/** How many `string`s or `mpint`s (alike on the wire) make a public key of this type, after the name. */
export function publicKeyFieldCount(type: SshKeyType): number {
  return FIELD_COUNT[type];
}

/** The curve of an ECDSA key type; undefined for the others. */
export function ecCurve(type: SshKeyType): EcCurve | undefined {
  return EC_CURVES[type];
}

/** The ECDSA key type of a JWK `crv`; undefined when there is none. */
export function ecKeyType(crv: unknown): SshKeyType | undefined {
  return (Object.keys(EC_CURVES) as SshKeyType[]).find((type) => EC_CURVES[type]?.crv === crv);
}
