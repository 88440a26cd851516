import { uptime } from "node:os";
import { bootId } from "../kernel/boot-id.ts";

/** The clocks that a host has, read together. */
export interface Reading {
  /** CLOCK_REALTIME: what `date` says and anybody with the right may set. Seconds since the epoch. */
  wall: number;
  /** CLOCK_MONOTONIC: nobody sets it; it stands still in suspend and begins anew with every boot. Seconds. */
  monotonic: number;
  /** CLOCK_BOOTTIME, likewise, but it goes on in suspend. Seconds. */
  boot: number;
}

export interface TimeSource {
  read(): Reading;
  /** Another one after every reboot. */
  bootId: string;
}

/** This host's clocks. */
export function hostTime(): TimeSource {
  return {
    bootId: bootId(),
    read: () => ({ wall: Date.now() / 1000, monotonic: performance.now() / 1000, boot: uptime() }),
  };
}

/**
 * Seconds from one reading to another of the same boot, by clocks that nobody sets: the longer of the two, so that
 * neither suspend nor a container's own idea of its uptime makes time stand still. `performance.now()` counts from the
 * start of a process: readings of another process have `monotonic` null.
 */
export function elapsed(
  from: Omit<Reading, "monotonic"> & { monotonic: number | null },
  to: Reading,
): number {
  const monotonic = from.monotonic === null ? 0 : to.monotonic - from.monotonic;
  return Math.max(0, monotonic, to.boot - from.boot);
}
