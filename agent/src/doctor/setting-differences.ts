import type { SshdSetting } from "../enrolment/sshd-drop-in.ts";
import type { EffectiveSettings } from "./effective-settings.ts";

/** A setting that is not as it should be. */
export interface Difference {
  keyword: string;
  expected: string;
  actual: string;
}

/** Values that mean the same; `sshd -T` prints the second. */
const SYNONYMS: Record<string, string> = {
  all: "yes",
  true: "yes",
  false: "no",
  "without-password": "prohibit-password",
};

/** Compares what we want of sshd with what it would do. A keyword that stands twice has both values, in any order. */
export function differences(wanted: readonly SshdSetting[], effective: EffectiveSettings): Difference[] {
  const byKeyword = Map.groupBy(wanted, ([keyword]) => keyword.toLowerCase());
  return [...byKeyword.values()].flatMap((settings) => {
    const [[keyword] = [""]] = settings;
    const expected = settings.map(([, value]) => value);
    const actual = effective.get(keyword.toLowerCase()) ?? [];
    const same = comparable(expected) === comparable(actual);
    return same ? [] : [{ keyword, expected: expected.join(" "), actual: actual.join(" ") || "not set" }];
  });
}

function comparable(values: readonly string[]): string {
  // sshd prints some lists on one line and others on one line each.
  const words = values.flatMap((value) => value.trim().split(/\s+/));
  return words
    .map((word) => SYNONYMS[word.toLowerCase()] ?? word)
    .sort()
    .join(" ");
}
