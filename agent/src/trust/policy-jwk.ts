import { createHash, createPublicKey } from "node:crypto";
import { SallyportError } from "@sallyport/core/errors.ts";
import type { Trust } from "@sallyport/core/messages/trust.ts";
import { publicKeyFromKeyObject, type SshPublicKey } from "@sallyport/core/ssh/public-key.ts";

/** A policy key as it is pinned, named by its JWK thumbprint (RFC 7638). Code `ssh-unsupported` for another than Ed25519. */
export function policyJwk(key: SshPublicKey): Trust["policyKeys"][number] {
  const { x, crv } = key.key.export({ format: "jwk" });
  if (x === undefined || crv !== "Ed25519")
    throw new SallyportError("ssh-unsupported", "A policy key is an Ed25519 key.");
  const kid = createHash("sha256").update(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`).digest("base64url");
  return { kty: "OKP", crv: "Ed25519", x, kid };
}

/** The same key in SSH's form. */
export function policySshKey({ kty, crv, x }: Trust["policyKeys"][number]): SshPublicKey {
  return publicKeyFromKeyObject(createPublicKey({ key: { kty, crv, x }, format: "jwk" }));
}
