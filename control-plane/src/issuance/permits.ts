import type { Engagement } from "@sallyport/core/policy/engagement.ts";
import { engagementState } from "../policy/host-selection.ts";

/**
 * The `permit-…` extensions of a certificate (PROTOCOL.certkeys): a terminal, and the forwarding that some engagement which
 * runs grants. sshd allows what the certificate and the host's answer both permit, and the host's answer is that of the one
 * engagement that the login is for. `now` in seconds.
 */
export function permits(engagements: readonly Engagement[], now: number): string[] {
  const granted = engagements
    .filter((engagement) => engagementState(engagement, now) === "running")
    .map(({ forwarding }) => forwarding);
  const names = ["permit-pty"];
  if (granted.some(({ local, remote }) => local.length + remote.length > 0))
    names.push("permit-port-forwarding");
  if (granted.some(({ agent }) => agent)) names.push("permit-agent-forwarding");
  if (granted.some(({ x11 }) => x11)) names.push("permit-X11-forwarding");
  return names;
}
