import type { IssuerConfiguration } from "../issuers/issuer-configuration.ts";
import type { SecurityEventsConfiguration } from "./security-events-configuration.ts";

/** An IdP that sends Security Event Tokens, as it is configured. */
export interface Transmitter {
  /** `iss` of its SETs. */
  iss: string;
  /** `aud` that means us. */
  audiences: readonly string[];
  /** The issuer of the people that it may speak of: that of its ID tokens. */
  issuer: string;
  /** `iss` in a subject identifier that means this IdP. */
  subjectIssuers: readonly string[];
  /** As people know it. */
  name: string;
  clientId: string;
  jwksUri: string | undefined;
  algorithms: readonly string[];
  /** Seconds. */
  maxAge: number;
  /** Undefined where it may not push. */
  push: NonNullable<SecurityEventsConfiguration["push"]> | undefined;
  poll: SecurityEventsConfiguration["poll"];
  stream: SecurityEventsConfiguration["stream"];
}

/** The IdPs of a configuration that send Security Event Tokens; `url` is ours. */
export function transmittersOf(issuers: readonly IssuerConfiguration[], url: string): Transmitter[] {
  return issuers.flatMap(({ issuer, name, clientId, aliases, securityEvents }) => {
    if (securityEvents === undefined) return [];
    const { audience, jwksUri, algorithms, maxAge, push, poll, stream } = securityEvents;
    const iss = securityEvents.issuer ?? issuer;
    return {
      ...{ iss, issuer, name, clientId, jwksUri, algorithms, maxAge, poll, stream },
      audiences: audience ?? [url],
      subjectIssuers: [...new Set([issuer, ...aliases, iss])],
      push: push ?? (poll === undefined ? { tokenFile: null } : undefined),
    };
  });
}

/** Which entry names a transmitter that another names already, or -1: whose people it means could not be told. */
export function repeatedTransmitter(
  issuers: readonly Pick<IssuerConfiguration, "issuer" | "securityEvents">[],
): number {
  const isses = issuers.map(({ issuer, securityEvents }) =>
    securityEvents === undefined ? undefined : (securityEvents.issuer ?? issuer),
  );
  return isses.findIndex((iss, index) => iss !== undefined && isses.indexOf(iss) !== index);
}
