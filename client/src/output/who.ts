import type { Me } from "@sallyport/core/messages/client-api.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import type { SignInState } from "../state/sign-in-state.ts";
import { table } from "./table.ts";
import { fromNow, localTime } from "./time.ts";

const MFA: Record<string, string> = {
  none: "password only (no MFA)",
  mfa: "MFA",
  "phishing-resistant": "phishing-resistant MFA",
};

/** Who is signed in, how, until when, and what it is good for. */
export function whoText(state: SignInState, now: number, columns?: number): string {
  const { me, certificate } = state;
  const lines = [
    `Signed in as ${printable(me.name)} (${me.roles.join(", ") || "no role"}) by ${printable(me.issuer)}, with ${MFA[me.mfa] ?? printable(me.mfa)}.`,
    certificate === null
      ? "No SSH certificate: you are in no engagement."
      : `SSH certificate ${printable(certificate.serial)}: ${validity(certificate.validBefore, now)}.`,
    ...(certificate?.assurance === "brokered"
      ? ["The sign-in is brokered (on another device): hosts take it only for engagements that accept that."]
      : []),
  ];
  const tables = [engagementTable(me.engagements, now, columns), hostTable(me, columns)].filter(
    (each) => each !== "",
  );
  return `${[`${lines.join("\n")}\n`, ...tables, warnings(me, now)].filter((each) => each !== "").join("\n")}`;
}

function validity(until: number, now: number): string {
  return `${until > now ? "valid until" : "expired at"} ${localTime(until)} (${fromNow(until, now)})`;
}

/** Engagements with their state; empty when there are none. */
export function engagementTable(engagements: Me["engagements"], now: number, columns?: number): string {
  if (engagements.length === 0) return "";
  return table(
    ["ENGAGEMENT", "STATE", "FROM", "UNTIL", "", "HOSTS", "ACCOUNTS", "CONTACT"],
    engagements.map((each) => [
      each.name,
      each.state,
      localTime(each.start),
      localTime(each.end),
      each.state === "not-started"
        ? `starts ${fromNow(each.start, now)}`
        : each.state === "running"
          ? `ends ${fromNow(each.end, now)}`
          : "",
      each.hosts.join(", "),
      each.accounts.join(", "),
      each.contact,
    ]),
    columns,
  );
}

/** The hosts as ssh reaches them; empty when there are none. */
export function hostTable(me: Me, columns?: number): string {
  if (me.hosts.length === 0) return "";
  return table(
    ["HOST", "ADDRESS", "ACCOUNTS", "ENGAGEMENTS"],
    me.hosts.map((host) => [
      host.name,
      `${host.address.includes(":") ? `[${host.address}]` : host.address}:${host.port}`,
      host.accounts.join(", "),
      me.engagements
        .filter((each) => each.hosts.includes(host.name))
        .map((each) => `${each.name} (${each.state})`)
        .join(", "),
    ]),
    columns,
  );
}

/** One sentence for each engagement that refuses its member as things stand. */
export function warnings(me: Me, now: number): string {
  return me.engagements
    .filter((each) => each.state !== "running")
    .map((each) =>
      each.state === "ended"
        ? `Engagement ${each.name} has ended and lets nobody in; ask ${printable(each.contact)}.\n`
        : `Engagement ${each.name} has not started: it lets you in from ${localTime(each.start)} (${fromNow(each.start, now)}).\n`,
    )
    .join("");
}
