import { printable } from "@sallyport/core/terminal-text.ts";

const MAX_REASON = 300;

/**
 * Why, as people read it: the event's type, and what the IdP says for administrators, else for users, else as RISC's `reason`. Of
 * several languages English, else the first. The text is the IdP's: it is made printable, and cut.
 */
export function eventReason(name: string, event: Record<string, unknown>): string {
  const said = [event.reason_admin, event.reason_user, event.reason].map(textOf).find((text) => text !== "");
  return said === undefined ? name : `${name}: ${printable(said, MAX_REASON)}`;
}

/** A language map (BCP 47 tag and text), or plain text as in drafts. */
function textOf(value: unknown): string {
  if (typeof value === "string") return value.trim();
  if (typeof value !== "object" || value === null) return "";
  const texts = Object.entries(value).filter((entry): entry is [string, string] => {
    return typeof entry[1] === "string" && entry[1].trim() !== "";
  });
  const english = texts.find(([language]) => /^en(?:-|$)/i.test(language));
  return (english ?? texts[0])?.[1].trim() ?? "";
}
