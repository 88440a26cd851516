import { readFileSync } from "node:fs";

/** The kernel's name for this boot (random(4), boot_id): another one after every reboot. */
export function bootId(): string {
  return readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim();
}
