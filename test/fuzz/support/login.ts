import { generateKeyPairSync, randomBytes } from "node:crypto";
import { type IdentityContext, verifyIdentity } from "@sallyport/core/admission/verify-identity.ts";
import { type Binding, bindingNonce, makeBinding } from "@sallyport/core/binding.ts";
import type { Bundle } from "@sallyport/core/policy/bundle.ts";
import { evaluateLogin } from "@sallyport/core/policy/evaluate.ts";
import { sshKeyToJwk } from "@sallyport/core/ssh/jwk.ts";
import { publicKeyFromKeyObject } from "@sallyport/core/ssh/public-key.ts";
import { ISSUER, makeToken } from "../../unit/core/admission/identity-provider.ts";
import { identityContext, makeCertificate, userKey } from "../../unit/core/admission/login-certificate.ts";
import { makeBundle, makeEngagement, makeScenario } from "../../unit/core/policy/scenario.ts";
import { refusalOr } from "./fuzz.ts";

/** A login that is admitted: its certificate, and what is in it. */
export interface GoodLogin {
  certificate: Uint8Array;
  token: string;
  binding: Binding;
  context: IdentityContext;
}

/** One that is admitted by {@link admits}. */
export async function makeLogin(): Promise<GoodLogin> {
  const binding = makeBinding(sshKeyToJwk(userKey), randomBytes(32));
  const token = await makeToken({ nonce: bindingNonce(binding) });
  return {
    certificate: await makeCertificate({ binding, tokenText: token }),
    token,
    binding,
    context: identityContext(),
  };
}

/** A key that the login's person does not hold. */
export const strangersKey: ReturnType<typeof publicKeyFromKeyObject> = publicKeyFromKeyObject(
  generateKeyPairSync("ed25519").privateKey,
);

/** The policy under which {@link makeLogin} is admitted: its person is a member, and nothing stands in the way. */
export function bundleOfLogin(): Bundle {
  const bundle = makeBundle(makeEngagement());
  for (const member of bundle.members) member.identities = [{ issuer: ISSUER, subject: "alice" }];
  return bundle;
}
const bundle = bundleOfLogin();

/** The whole way of a login, both halves of admission: "admit", or the code of the refusal. Throws what would crash. */
export async function admits(certificate: Uint8Array, context: IdentityContext): Promise<string> {
  const proven = await refusalOr(() => verifyIdentity(certificate, context));
  if ("code" in proven) return proven.code;
  const { request, condition } = makeScenario();
  const decision = evaluateLogin({ ...request, identity: proven.value }, { ...condition, bundle });
  return decision.outcome === "admit" ? "admit" : decision.refusal.code;
}
