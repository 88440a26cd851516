import assert from "node:assert/strict";
import { Hours } from "@sallyport/core/policy/engagement.ts";
import { closingTime, withinHours } from "@sallyport/core/policy/hours.ts";
import fc from "fast-check";

const EVERY_DAY = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const WORK_DAYS = EVERY_DAY.slice(0, 5);

/** Hours such as "Europe/Berlin mon-fri 08:00-18:00, sat 09:00-12:00". */
function hours(timeZone: string, ...windows: [days: string[], from: string, to: string][]): Hours {
  return Hours.parse({ timeZone, windows: windows.map(([days, from, to]) => ({ days, from, to })) });
}
const at = (iso: string): number => Date.parse(iso) / 1000;

const berlin = hours("Europe/Berlin", [WORK_DAYS, "08:00", "18:00"]);
const berlinNights = hours("Europe/Berlin", [EVERY_DAY, "00:00", "02:30"]);
const berlinDays = hours("Europe/Berlin", [EVERY_DAY, "00:00", "05:00"]);

describe("weekly hours", () => {
  const rows: [what: string, hours: Hours, time: string, within: boolean][] = [
    ["the first second", berlin, "2026-01-14T07:00:00Z", true],
    ["the second before", berlin, "2026-01-14T06:59:59Z", false],
    ["the last second", berlin, "2026-01-14T16:59:59Z", true],
    ["the end is outside", berlin, "2026-01-14T17:00:00Z", false],
    ["in summer an hour earlier by UTC", berlin, "2026-07-15T06:00:00Z", true],
    ["and its end too", berlin, "2026-07-15T16:00:00Z", false],
    ["not at the weekend", berlin, "2026-01-17T10:00:00Z", false],
    [
      "a day that has begun there only",
      hours("Pacific/Auckland", [["thu"], "00:00", "09:00"]),
      "2026-01-14T12:00:00Z",
      true,
    ],
    [
      "a day that is still the last one there",
      hours("America/Los_Angeles", [["tue"], "16:00", "24:00"]),
      "2026-01-14T07:59:59Z",
      true,
    ],
    ["24:00 is the day's end", hours("UTC", [["wed"], "23:00", "24:00"]), "2026-01-14T23:59:59Z", true],
    ["24:00 is not the next day", hours("UTC", [["wed"], "23:00", "24:00"]), "2026-01-15T00:00:00Z", false],
    [
      "a zone of a quarter of an hour",
      hours("Asia/Kathmandu", [["wed"], "12:00", "13:00"]),
      "2026-01-14T06:15:00Z",
      true,
    ],
    [
      "and a minute before",
      hours("Asia/Kathmandu", [["wed"], "12:00", "13:00"]),
      "2026-01-14T06:14:59Z",
      false,
    ],
    [
      "the hour that a spring skips",
      hours("Europe/Berlin", [["sun"], "02:00", "03:00"]),
      "2026-03-29T01:00:00Z",
      false,
    ],
    [
      "the hour that an autumn repeats, first",
      hours("Europe/Berlin", [["sun"], "02:00", "03:00"]),
      "2026-10-25T00:30:00Z",
      true,
    ],
    [
      "the hour that an autumn repeats, again",
      hours("Europe/Berlin", [["sun"], "02:00", "03:00"]),
      "2026-10-25T01:30:00Z",
      true,
    ],
    [
      "the second of two windows",
      hours("UTC", [["wed"], "08:00", "09:00"], [["wed"], "10:00", "11:00"]),
      "2026-01-14T10:30:00Z",
      true,
    ],
    [
      "between two windows",
      hours("UTC", [["wed"], "08:00", "09:00"], [["wed"], "10:00", "11:00"]),
      "2026-01-14T09:30:00Z",
      false,
    ],
  ];
  for (const [what, weekly, time, within] of rows) {
    it(`${what}: ${within ? "inside" : "outside"}`, () =>
      assert.equal(withinHours(weekly, at(time)), within));
  }

  const closings: [what: string, hours: Hours, time: string, closes: string | null][] = [
    ["at the window's end", berlin, "2026-01-14T12:00:01Z", "2026-01-14T17:00:00Z"],
    ["not at all outside", berlin, "2026-01-14T06:00:00Z", null],
    [
      "at the end of windows that touch",
      hours("UTC", [["wed"], "08:00", "12:00"], [["wed"], "12:00", "13:00"]),
      "2026-01-14T09:00:00Z",
      "2026-01-14T13:00:00Z",
    ],
    [
      "at the end of windows that overlap",
      hours("UTC", [["wed"], "08:00", "12:00"], [["wed"], "09:00", "13:00"]),
      "2026-01-14T10:00:00Z",
      "2026-01-14T13:00:00Z",
    ],
    [
      "past midnight, by two windows",
      hours("UTC", [["wed"], "22:00", "24:00"], [["thu"], "00:00", "06:00"]),
      "2026-01-14T23:00:00Z",
      "2026-01-15T06:00:00Z",
    ],
    ["across a spring night", berlinDays, "2026-03-28T23:30:00Z", "2026-03-29T03:00:00Z"],
    ["across an autumn night", berlinDays, "2026-10-24T22:30:00Z", "2026-10-25T04:00:00Z"],
    ["where the clock jumps over the end", berlinNights, "2026-03-28T23:30:00Z", "2026-03-29T01:00:00Z"],
    ["the first time of two", berlinNights, "2026-10-24T22:30:00Z", "2026-10-25T00:30:00Z"],
    ["the second time of two", berlinNights, "2026-10-25T01:10:00Z", "2026-10-25T01:30:00Z"],
    [
      "where a whole day is skipped",
      hours("Pacific/Apia", [["thu", "fri"], "00:00", "24:00"]),
      "2011-12-30T06:00:00Z",
      "2011-12-30T10:00:00Z",
    ],
    ["never", hours("UTC", [EVERY_DAY, "00:00", "24:00"]), "2026-01-14T12:00:00Z", null],
  ];
  for (const [what, weekly, time, closes] of closings) {
    it(`close ${what}`, () => {
      const closing = closingTime(weekly, at(time));
      assert.equal(
        closing === null ? null : new Date(closing * 1000).toISOString(),
        closes?.replace("Z", ".000Z") ?? null,
      );
    });
  }

  it("close when a walk from minute to minute says so, whatever the zone", () => {
    const clock = fc
      .nat(24 * 60)
      .map((minute) => `${Math.floor(minute / 60)}:${minute % 60}`.replace(/\b\d\b/g, "0$&"));
    const window = fc
      .record({ days: fc.subarray(EVERY_DAY, { minLength: 1 }), from: clock, to: clock })
      .filter(({ from, to }) => from < to);
    const zone = fc.constantFrom(
      "UTC",
      "Europe/Berlin",
      "Australia/Lord_Howe",
      "America/New_York",
      "Asia/Kathmandu",
    );
    // The two nights of 2026 on which Berlin's clocks change, and the days around them.
    const time = fc.tuple(fc.constantFrom("2026-03-28", "2026-10-24", "2026-04-04"), fc.nat(3 * 86_400));
    fc.assert(
      fc.property(
        zone,
        fc.array(window, { minLength: 1, maxLength: 4 }),
        time,
        (timeZone, windows, [day, second]) => {
          const weekly = Hours.parse({ timeZone, windows });
          const now = at(`${day}T00:00:00Z`) + second;
          assert.equal(closingTime(weekly, now), walk(weekly, now));
        },
      ),
      { numRuns: 60 },
    );
  });

  it("close without looking at every minute: it is asked for every session twice a second", () => {
    const looks = countLooks(() => {
      closingTime(berlin, at("2026-01-14T07:00:01Z"));
      closingTime(hours("UTC", [EVERY_DAY, "00:00", "24:00"]), at("2026-01-14T12:00:00Z"));
    });
    assert.ok(looks < 100, `${looks} looks at the calendar`);
  });

  const refused: [what: string, value: unknown][] = [
    [
      "an unknown zone",
      { timeZone: "Mars/Olympus", windows: [{ days: ["mon"], from: "08:00", to: "09:00" }] },
    ],
    ["no window", { timeZone: "UTC", windows: [] }],
    ["a window over midnight", { timeZone: "UTC", windows: [{ days: ["mon"], from: "22:00", to: "06:00" }] }],
    ["an empty window", { timeZone: "UTC", windows: [{ days: ["mon"], from: "08:00", to: "08:00" }] }],
    ["25:00", { timeZone: "UTC", windows: [{ days: ["mon"], from: "08:00", to: "25:00" }] }],
    ["an unknown day", { timeZone: "UTC", windows: [{ days: ["Monday"], from: "08:00", to: "09:00" }] }],
  ];
  for (const [what, value] of refused) {
    it(`are refused: ${what}`, () => assert.equal(Hours.safeParse(value).success, false));
  }
});

/** The slow and plain way. */
function walk(weekly: Hours, now: number): number | null {
  if (!withinHours(weekly, now)) return null;
  for (let time = Math.floor(now / 60) * 60 + 60; time <= now + 7 * 86_400; time += 60) {
    if (!withinHours(weekly, time)) return time;
  }
  return null;
}

/** How often `work` asks for the local time, which is what takes the time. */
function countLooks(work: () => void): number {
  const { formatToParts } = Intl.DateTimeFormat.prototype;
  let looks = 0;
  Intl.DateTimeFormat.prototype.formatToParts = function (time) {
    looks++;
    return formatToParts.call(this, time);
  };
  try {
    work();
  } finally {
    Intl.DateTimeFormat.prototype.formatToParts = formatToParts;
  }
  return looks;
}
