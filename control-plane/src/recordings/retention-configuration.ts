import { ShortName } from "@sallyport/core/names.ts";
import { z } from "zod";
import type { Cutoffs } from "../database/recording-retention.ts";

const DAY = 86_400;

const Days = z.int().min(1).max(36_500).nullable();

/** The key `retention` of the configuration. */
export const Retention = z
  .strictObject({
    days: Days.default(null).describe(
      "Days after its end for which a recording is kept; null: for ever. Danger: what is deleted is gone for good.",
    ),
    vendors: z
      .record(ShortName, Days)
      .default({})
      .describe("Days for the recordings of single vendors' engagements, instead of `days`; null: for ever."),
  })
  .prefault({})
  .describe(
    "How long recordings are kept where nothing holds them. Only recordings that are complete are deleted.",
  );
export type Retention = z.infer<typeof Retention>;

/** Until when recordings must have ended to be past their retention at `now`, in seconds. */
export function cutoffs({ days, vendors }: Retention, now: number): Cutoffs {
  const before = (count: number | null) => (count === null ? null : now - count * DAY);
  return {
    others: before(days),
    vendors: Object.fromEntries(Object.entries(vendors).map(([name, count]) => [name, before(count)])),
  };
}
