import { Trust } from "@sallyport/core/messages/trust.ts";
import type { Configuration } from "../config/configuration.ts";
import { trustedIssuer } from "../issuers/trusted-issuer.ts";
import { policyKeyId } from "./key-ring.ts";
import { caLine, type Keys } from "./keys.ts";

/** What clients and hosts trust to certify servers. */
export function hostCaLines(keys: Pick<Keys, "trusted">): string[] {
  return keys.trusted("host-ca").map((key) => caLine(key, "sallyport-host-ca"));
}

/** What hosts pin at enrolment. A join token carries its hash. */
export function trustDocument(
  config: Pick<Configuration, "url" | "issuers">,
  keys: Pick<Keys, "trusted">,
): Trust {
  return Trust.parse({
    v: 1,
    controlPlane: config.url,
    userCaKeys: keys.trusted("user-ca").map((key) => caLine(key, "sallyport-user-ca")),
    hostCaKeys: hostCaLines(keys),
    policyKeys: keys.trusted("policy").map((key) => ({ kty: "OKP", crv: "Ed25519", ...policyKeyId(key) })),
    issuers: config.issuers.map(trustedIssuer),
  });
}
