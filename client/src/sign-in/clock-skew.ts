import { SallyportError } from "@sallyport/core/errors.ts";

/** Largest difference between the two clocks, in seconds, that a sign-in survives on every host. */
const MAX_SKEW = 60;

/** Refuses a sign-in that a wrong clock would fail later with a message nobody understands. Code `clock-skew`. */
export function assertClock(serverSeconds: number, ownSeconds: number): void {
  const difference = ownSeconds - serverSeconds;
  if (Math.abs(difference) <= MAX_SKEW) return;
  const direction = difference > 0 ? "ahead of" : "behind";
  throw new SallyportError(
    "clock-skew",
    `This machine's clock is ${inWords(Math.abs(difference))} ${direction} the control plane's; set it right (for example with: timedatectl set-ntp true) and sign in again.`,
  );
}

function inWords(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 2 * 3600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 2 * 86400) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}
