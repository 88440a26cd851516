import { setTimeout as pause } from "node:timers/promises";

/** Waits until `check` holds, looking every 10 ms; false when the time is over. */
export async function until(check: () => boolean | Promise<boolean>, milliseconds: number): Promise<boolean> {
  const deadline = performance.now() + milliseconds;
  while (!(await check())) {
    if (performance.now() > deadline) return false;
    await pause(10);
  }
  return true;
}
