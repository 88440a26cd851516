import type { Forwarding } from "@sallyport/core/policy/grants.ts";

/**
 * The line that AuthorizedPrincipalsCommand prints (sshd(8), AUTHORIZED_KEYS FILE FORMAT): text of our own, with the
 * engagement's destinations, whose schema leaves no quote, comma or blank in them. `restrict` turns everything off that
 * is not named after it, and what sshd may add in later versions.
 */
export function grantLine(shim: string, forwarding: Forwarding | null, principal: string): string {
  const options = [`command="${shim} session"`, "restrict", "pty"];
  if (forwarding !== null) {
    const { local, remote, agent, x11 } = forwarding;
    if (local.length + remote.length > 0) {
      options.push("port-forwarding");
      // With one kind granted the other is still off: a list that nothing can match.
      options.push(...(local.length > 0 ? local : [NOWHERE]).map((to) => `permitopen="${to}"`));
      options.push(...(remote.length > 0 ? remote : [NOWHERE]).map((at) => `permitlisten="${at}"`));
    }
    if (agent) options.push("agent-forwarding");
    if (x11) options.push("X11-forwarding");
  }
  return `${options.join(",")} ${principal}\n`;
}

/** True when any forwarding of connections is granted. */
export function forwards({ local, remote, x11 }: Forwarding): boolean {
  return local.length + remote.length > 0 || x11;
}

/** A name that RFC 6761 §6.4 says is nobody's, and the port that nothing listens on. */
const NOWHERE = "nowhere.invalid:1";
