import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Accounts } from "@sallyport/agent/logins/accounts.ts";
import { Decider } from "@sallyport/agent/logins/decide.ts";
import { LoginRegistry } from "@sallyport/agent/logins/login-registry.ts";
import { JwksCache } from "@sallyport/agent/policy/jwks-cache.ts";
import type { Trust } from "@sallyport/core/messages/trust.ts";
import type { HostCondition } from "@sallyport/core/policy/evaluate.ts";
import { formatPublicKeyLine, publicKeyFromKeyObject } from "@sallyport/core/ssh/public-key.ts";
import { createLogger, transports } from "winston";
import { ISSUER, KEYS, NOW, TRUSTED } from "../../core/admission/identity-provider.ts";
import { ca } from "../../core/admission/login-certificate.ts";
import { makeBundle, makeScenario } from "../../core/policy/scenario.ts";

export const SILENT = createLogger({ silent: true, transports: [new transports.Console()] });

/** A host that admits Alice to `deploy`; a test changes its condition. */
export interface AdmittingHost {
  condition: HostCondition & { bundle: ReturnType<typeof makeBundle> };
  decider: Decider;
  logins: LoginRegistry;
  accounts: Accounts;
}

export function makeAdmittingHost(directory: string, shim: string): AdmittingHost {
  writeFileSync(
    join(directory, "passwd"),
    `root:x:0:0::/root:/bin/sh\ndeploy:x:1001:1002::/home/deploy:${shim}\n`,
  );
  const [member] = makeBundle().members;
  if (member === undefined) throw new TypeError("no member");
  const bundle = {
    ...makeBundle(),
    members: [{ ...member, identities: [{ issuer: ISSUER, subject: "alice" }] }],
  };
  const condition = { ...makeScenario().condition, bundle };
  new JwksCache(join(directory, "jwks"), [ISSUER], () => {}); // makes the directory
  writeFileSync(join(directory, "jwks/keys.json"), JSON.stringify({ issuer: ISSUER, jwks: KEYS }));
  const userCaKeys = [formatPublicKeyLine(publicKeyFromKeyObject(ca), "")];
  const trust = { userCaKeys, issuers: [TRUSTED] } as unknown as Trust;
  return {
    condition,
    decider: new Decider({
      trust,
      jwks: new JwksCache(join(directory, "jwks"), [ISSUER], () => {}),
      condition: () => condition,
      now: () => NOW,
    }),
    logins: new LoginRegistry(join(directory, "logins")),
    accounts: new Accounts(join(directory, "passwd")),
  };
}
