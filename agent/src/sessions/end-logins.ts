import { mustEnd } from "@sallyport/core/policy/continue.ts";
import type { ProcessIdentity } from "../kernel/processes.ts";
import type { LoginRegistry } from "../logins/login-registry.ts";
import type { PolicyStore } from "../policy/policy-store.ts";

/**
 * Ends the connections whose member may not be here any more, with or without a session on them: an open `ssh -N`
 * shows nothing and records nothing, but it is access all the same. Resolves when they are gone.
 */
export async function endLoginsThatMust(
  logins: LoginRegistry,
  policy: PolicyStore,
  now: number,
  endLogin: (monitor: ProcessIdentity) => Promise<void>,
): Promise<void> {
  const { bundle, revocations } = policy;
  const endings: Promise<void>[] = [];
  for (const { monitor, account, identity, admitted } of logins.alive()) {
    if (identity === null || admitted === null) continue;
    const { certificateSerial, keyFingerprint, token } = identity;
    const { issuer, subject, issuedAt: signedInAt } = token;
    const who = { certificateSerial, keyFingerprint, issuer, subject, signedInAt };
    const login = { sessionId: "", account, ...who, ...admitted };
    if (mustEnd(login, bundle, revocations, now, policy.local()) !== null) endings.push(endLogin(monitor));
  }
  await Promise.all(endings);
}
