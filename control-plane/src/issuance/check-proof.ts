import { type Binding, proofForRenewal, proofOfPossession } from "@sallyport/core/binding.ts";
import { SallyportError } from "@sallyport/core/errors.ts";
import type { CertificateRequest, RenewalRequest } from "@sallyport/core/messages/client-api.ts";
import { jwkToSshKey } from "@sallyport/core/ssh/jwk.ts";
import type { SshPublicKey } from "@sallyport/core/ssh/public-key.ts";
import { verifySsh } from "@sallyport/core/ssh/signature.ts";

/** The key of a request, once it is proven that whoever asks holds it. Codes `binding-invalid`, `proof-invalid`. */
export function checkProof(request: CertificateRequest): SshPublicKey {
  const { binding, idToken, challenge, proof } = request;
  return checkPossession(binding, proofOfPossession(binding, idToken, challenge), proof);
}

/** The same for a renewal. */
export function checkRenewalProof(request: RenewalRequest): SshPublicKey {
  const { binding, challenge, proof } = request;
  return checkPossession(binding, proofForRenewal(binding, request, challenge), proof);
}

function checkPossession(binding: Binding, statement: Uint8Array, proof: string): SshPublicKey {
  const key = bindingKey(binding);
  try {
    verifySsh(key, statement, Buffer.from(proof, "base64"));
  } catch (cause) {
    throw new SallyportError(
      "proof-invalid",
      "The proof that you hold the SSH key does not fit this key, this ID token and this challenge. Sign in again.",
      { cause },
    );
  }
  return key;
}

function bindingKey(binding: Binding): SshPublicKey {
  try {
    return jwkToSshKey(binding.upk);
  } catch (cause) {
    throw new SallyportError("binding-invalid", "The key binding holds no SSH key that can be used.", {
      cause,
    });
  }
}
