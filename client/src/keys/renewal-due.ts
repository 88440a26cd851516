import { existsSync } from "node:fs";
import type { KeyState } from "../state/key-state.ts";

/** True when a certificate can be renewed without its holder. `now` in seconds since the epoch. */
export function isRenewable({ renewal }: KeyState, now: number): boolean {
  return renewal !== null && now < renewal.until && existsSync(renewal.file);
}

/** True when it can be, and it is time: less than a third of the certificate's life is left. */
export function renewalDue(key: KeyState, now: number): boolean {
  return key.renewal !== null && now >= key.renewal.from && isRenewable(key, now);
}
