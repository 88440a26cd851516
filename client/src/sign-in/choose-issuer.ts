import { SallyportError } from "@sallyport/core/errors.ts";
import type { ClientConfiguration } from "@sallyport/core/messages/client-api.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import { isLoopback } from "../api/server-url.ts";

/** An identity provider as the control plane names it. */
export type OfferedIssuer = ClientConfiguration["issuers"][number];

/** By what to choose among several. */
export interface IssuerWish {
  /** URL or name. */
  issuer?: string | undefined;
  /** Its domain says where this person signs in: a hint, of which nothing comes for who they are. */
  email?: string | undefined;
}

/**
 * The identity provider to sign in with: the one asked for, that of the e-mail's domain, or the only one. Codes `usage`,
 * `issuer-unknown`.
 */
export function chooseIssuer(offered: readonly OfferedIssuer[], wish: IssuerWish): OfferedIssuer {
  if (offered.length === 0) {
    throw new SallyportError(
      "issuer-unknown",
      "The control plane has no identity provider set up; tell its administrator.",
    );
  }
  const [chosen, ...others] = fitting(offered, wish);
  const list = offered.map((each) => `${printable(each.issuer)} (${printable(each.name)})`).join(", ");
  if (chosen === undefined) {
    throw new SallyportError(
      "issuer-unknown",
      wish.issuer === undefined
        ? `The control plane knows no identity provider for people of ${printable(domainOf(wish.email) ?? "", 253)}; name one with --issuer: ${list}`
        : `The control plane does not know this identity provider; it offers: ${list}`,
    );
  }
  if (others.length > 0)
    throw new SallyportError(
      "usage",
      `Say which identity provider with --issuer, or who you are with --email: ${list}`,
    );
  const url = new URL(chosen.issuer);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLoopback(url))) {
    throw new SallyportError(
      "issuer-unknown",
      `The identity provider ${printable(chosen.issuer)} is not reached by https.`,
    );
  }
  return chosen;
}

/** True where an e-mail would help to choose. */
export function needsHint(offered: readonly OfferedIssuer[], { issuer, email }: IssuerWish): boolean {
  return offered.length > 1 && issuer === undefined && email === undefined;
}

function fitting(offered: readonly OfferedIssuer[], { issuer, email }: IssuerWish): readonly OfferedIssuer[] {
  if (issuer !== undefined) return offered.filter((each) => each.issuer === issuer || each.name === issuer);
  const domain = domainOf(email);
  // Where there is only one, an unknown domain is no reason to stop: whom it knows is the provider's to say.
  if (domain === undefined || offered.length === 1) return offered;
  return offered.filter(({ domains }) => domains.includes(domain));
}

function domainOf(email: string | undefined): string | undefined {
  return email?.slice(email.lastIndexOf("@") + 1).toLowerCase();
}
