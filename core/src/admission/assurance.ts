import { z } from "zod";
import { type Binding, bindingNonce } from "../binding.ts";
import { RefusedError } from "../policy/refusal.ts";
import type { VerifiedIdToken } from "./id-token.ts";

/**
 * What ties a sign-in to an SSH key. `bound`: the IdP signed the key's hash into the token (`nonce`). `brokered`: the token
 * has no nonce at all, as with the device flow (RFC 8628), so only the control plane says that the key is this person's.
 */
export const Assurance = z.enum(["bound", "brokered"]);
export type Assurance = z.infer<typeof Assurance>;

/**
 * The assurance of a verified token for a binding. A nonce that is there and is another one is never brokered: that token
 * was made for another key. Throws a {@link RefusedError} `nonce-mismatch`.
 */
export function assuranceOf(token: Pick<VerifiedIdToken, "nonce">, binding: Binding): Assurance {
  if (token.nonce === null) return "brokered";
  if (token.nonce === bindingNonce(binding)) return "bound";
  throw new RefusedError(
    "nonce-mismatch",
    "the ID token's nonce does not commit to the binding in the certificate",
  );
}
