import { crc32 } from "node:zlib";
import type { Random } from "../environment.ts";

/** What tokens that people keep begin with, so that scanners of source code find those that were committed. */
const PREFIX = "spt_";
const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const SECRET_DIGITS = 43;
const CHECK_DIGITS = 6;

/**
 * A token of 256 random bits that a person or a program keeps: `spt_`, 43 base62 digits, and 6 of the CRC-32 of what is before
 * them, so that a scanner tells a real one without asking us.
 */
export function makeTokenSecret(random: Random): string {
  const secret = `${PREFIX}${base62(BigInt(`0x${Buffer.from(random(32)).toString("hex")}`), SECRET_DIGITS)}`;
  return `${secret}${checkDigits(secret)}`;
}

/** False for what looks like such a token and has the wrong check digits: it was never one of ours. */
export function isPlausibleToken(token: string): boolean {
  if (!token.startsWith(PREFIX)) return true;
  return checkDigits(token.slice(0, -CHECK_DIGITS)) === token.slice(-CHECK_DIGITS);
}

function checkDigits(text: string): string {
  return base62(BigInt(crc32(text)), CHECK_DIGITS);
}

function base62(value: bigint, length: number): string {
  let digits = "";
  for (let rest = value; digits.length < length; rest /= 62n) digits = DIGITS[Number(rest % 62n)] + digits;
  return digits;
}
