import { Trust } from "@sallyport/core/messages/trust.ts";
import type { Configuration } from "../config/configuration.ts";
import { trustedIssuer } from "../issuers/trusted-issuer.ts";
import { caLine, type Keys } from "./keys.ts";

/** What hosts pin at enrolment. A join token carries its hash. */
export function trustDocument(config: Pick<Configuration, "url" | "issuers">, keys: Keys): Trust {
  return Trust.parse({
    v: 1,
    controlPlane: config.url,
    userCaKeys: [caLine(keys.userCa, "sallyport-user-ca")],
    hostCaKeys: [caLine(keys.hostCa, "sallyport-host-ca")],
    policyKeys: [{ kty: "OKP", crv: "Ed25519", x: keys.policy.x, kid: keys.policy.kid }],
    issuers: config.issuers.map(trustedIssuer),
  });
}
