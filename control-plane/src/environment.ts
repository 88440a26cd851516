import { randomBytes } from "node:crypto";
import { type IdPrefix, makeId } from "@sallyport/core/names.ts";

/** The time in milliseconds since the epoch. Passed in everywhere, so that tests set it. */
export type Clock = () => number;

/** Cryptographically strong random bytes. */
export type Random = (length: number) => Uint8Array;

/** One JSON line per call. Fields never hold a token, a password or a whole certificate. */
export interface Log {
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
}

/** What the world outside gives to every part: time, chance, and a place to write what happened. */
export interface Environment {
  clock: Clock;
  random: Random;
  log: Log;
}

/** Random bytes of the operating system. */
export const systemRandom: Random = (length) => randomBytes(length);

/** The time in whole seconds since the epoch. */
export function seconds(clock: Clock): number {
  return Math.floor(clock() / 1000);
}

/** A new identifier of ours. */
export function newId(environment: Pick<Environment, "clock" | "random">, prefix: IdPrefix): string {
  return makeId(prefix, environment.clock(), environment.random(10));
}

/** `length` random bytes as base64url without padding. */
export function randomToken(random: Random, length: number): string {
  return Buffer.from(random(length)).toString("base64url");
}
