import { SallyportError } from "@sallyport/core/errors.ts";
import { formatPublicKeyLine, parsePublicKeyLine } from "@sallyport/core/ssh/public-key.ts";
import type { PlainHost } from "./config-value.ts";

/**
 * The host CA's keys out of what the control plane sends: a key line, with or without a `@cert-authority` marker in
 * front. Returns plain key lines without comment. Code `message-malformed`.
 */
export function hostCaKeyLines(lines: readonly string[]): string[] {
  return lines.map((line) => {
    const key = line.replace(/^@cert-authority \S+ /, "");
    try {
      return formatPublicKeyLine(parsePublicKeyLine(key));
    } catch (cause) {
      throw new SallyportError("message-malformed", "The control plane sent a host CA key that is no key.", {
        cause,
      });
    }
  });
}

/** The known_hosts file: the hosts' certificates are trusted, so nobody is asked to accept a fingerprint. */
export function knownHostsText(hosts: readonly PlainHost[], caKeyLines: readonly string[]): string {
  const names = hosts.map((host) => host.name).join(",");
  if (names === "") return "";
  return caKeyLines.map((key) => `@cert-authority ${names} ${key}\n`).join("");
}
