import { SallyportError } from "@sallyport/core/errors.ts";
import type { ClientConfiguration } from "@sallyport/core/messages/client-api.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import { isLoopback } from "../api/server-url.ts";

/** An identity provider as the control plane names it. */
export type OfferedIssuer = ClientConfiguration["issuers"][number];

/** The identity provider to sign in with: the one asked for (by URL or name), or the only one. Codes `usage`, `issuer-unknown`. */
export function chooseIssuer(offered: readonly OfferedIssuer[], wanted: string | undefined): OfferedIssuer {
  if (offered.length === 0) {
    throw new SallyportError(
      "issuer-unknown",
      "The control plane has no identity provider set up; tell its administrator.",
    );
  }
  const fitting =
    wanted === undefined ? offered : offered.filter((each) => each.issuer === wanted || each.name === wanted);
  const [chosen, ...others] = fitting;
  const list = offered.map((each) => `${printable(each.issuer)} (${printable(each.name)})`).join(", ");
  if (chosen === undefined) {
    throw new SallyportError(
      "issuer-unknown",
      `The control plane does not know this identity provider; it offers: ${list}`,
    );
  }
  if (others.length > 0)
    throw new SallyportError("usage", `Say which identity provider with --issuer: ${list}`);
  const url = new URL(chosen.issuer);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLoopback(url))) {
    throw new SallyportError(
      "issuer-unknown",
      `The identity provider ${printable(chosen.issuer)} is not reached by https.`,
    );
  }
  return chosen;
}
