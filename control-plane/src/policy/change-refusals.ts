import type { Engagement } from "@sallyport/core/policy/engagement.ts";
import { isoSeconds } from "@sallyport/core/policy/written-engagement.ts";

/** A field that cannot become what is wanted, and why, as a sentence. */
export interface Refusal {
  field: "vendor" | "end";
  message: string;
}

/** Why an engagement cannot be changed like this; undefined when it can. `now` in seconds. */
export function refuseChange(before: Engagement, after: Engagement, now: number): Refusal | undefined {
  const { name } = before;
  if (after.vendor !== before.vendor) {
    const message = `The engagement ${name} is one of the vendor ${before.vendor}, and stays so; make a new one for ${after.vendor}.`;
    return { field: "vendor", message };
  }
  if (after.end <= now && before.end > now) {
    const message =
      `The end of ${name} cannot be moved to ${isoSeconds(after.end)}, which is past; ` +
      `end it with: sallyport engagement end ${name}`;
    return { field: "end", message };
  }
  return undefined;
}

/** Why an engagement that was ended before its time cannot be changed; undefined when it was not ended. */
export function refuseEnded({ name, ended }: Engagement): string | undefined {
  if (ended === null) return undefined;
  const by = ended.by === "" ? "" : ` by ${ended.by}`;
  return `The engagement ${name} was ended on ${isoSeconds(ended.at)}${by} and stays so; make a new one under another name.`;
}
