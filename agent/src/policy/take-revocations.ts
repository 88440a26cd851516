import type { ServerMessage } from "@sallyport/core/messages/host-link.ts";
import type { Revocation } from "@sallyport/core/policy/revocation.ts";
import type { RevocationList } from "./revocation-list.ts";

/** Entries of the list as they come from the control plane. */
export type RevocationsMessage = Extract<ServerMessage, { type: "revocations" }>;

/** Entries of a message that are put in force before anything else; of more a list is on its way, which takes its turn. */
const AT_ONCE = 100;

/** Puts what a message takes away in force, at once and without storing it. */
export function narrowBy(list: RevocationList, { after, entries }: RevocationsMessage): void {
  if (entries.length > AT_ONCE) return;
  // From its beginning on the list says itself what it has given back.
  list.narrow(after === 0 ? newestOf(entries) : entries);
}

function newestOf(entries: readonly Revocation[]): Revocation[] {
  return [...new Map(entries.map((entry) => [`${entry.level}:${entry.target}`, entry])).values()];
}

/**
 * Adds a message's entries to the list, on the disk. `stored`: the list is whole up to `list.sequence`; `going-on`: a whole list is on
 * its way; `gap`: entries before these are missing; `malformed`: they do not follow one another. Throws where they cannot be stored.
 */
export function takeRevocations(
  list: RevocationList,
  { after, entries, sequence }: RevocationsMessage,
): "stored" | "going-on" | "gap" | "malformed" {
  if (entries.some((entry, index) => entry.sequence !== after + 1 + index)) return "malformed";
  if (after === 0) list.beginWhole();
  if (after === list.wholeSequence) {
    list.appendWhole(entries);
    if ((list.wholeSequence ?? 0) < sequence) return entries.length === 0 ? "malformed" : "going-on";
    list.completeWhole();
    return "stored";
  }
  if (after > list.sequence) {
    list.narrow(entries);
    return list.wholeSequence === undefined ? "gap" : "going-on";
  }
  list.append(entries.filter((entry) => entry.sequence > list.sequence));
  return "stored";
}
