import { proofOfPossession } from "@sallyport/core/binding.ts";
import { SallyportError } from "@sallyport/core/errors.ts";
import type { CertificateRequest } from "@sallyport/core/messages/client-api.ts";
import { jwkToSshKey } from "@sallyport/core/ssh/jwk.ts";
import type { SshPublicKey } from "@sallyport/core/ssh/public-key.ts";
import { verifySsh } from "@sallyport/core/ssh/signature.ts";

/** The key of a request, once it is proven that whoever asks holds it. Codes `binding-invalid`, `proof-invalid`. */
export function checkProof(request: CertificateRequest): SshPublicKey {
  const key = bindingKey(request);
  const statement = proofOfPossession(request.binding, request.idToken, request.challenge);
  try {
    verifySsh(key, statement, Buffer.from(request.proof, "base64"));
  } catch (cause) {
    throw new SallyportError(
      "proof-invalid",
      "The proof that you hold the SSH key does not fit this key, this ID token and this challenge. Sign in again.",
      { cause },
    );
  }
  return key;
}

function bindingKey(request: CertificateRequest): SshPublicKey {
  try {
    return jwkToSshKey(request.binding.upk);
  } catch (cause) {
    throw new SallyportError("binding-invalid", "The key binding holds no SSH key that can be used.", {
      cause,
    });
  }
}
