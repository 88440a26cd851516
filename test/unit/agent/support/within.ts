import { until } from "../../../../demo/light-host/until.ts";

/** Waits until `check` holds; fails, saying what it waited for, when it does not in time. */
export async function within(
  milliseconds: number,
  what: string,
  check: () => boolean | Promise<boolean>,
): Promise<void> {
  if (!(await until(check, milliseconds))) throw new Error(`not within ${milliseconds} ms: ${what}`);
}
