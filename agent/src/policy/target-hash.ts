import { randomFillSync } from "node:crypto";
import { RevocationLevel } from "@sallyport/core/policy/revocation.ts";

/** Nobody outside knows them, so nobody can make two targets that this process takes for one. */
const SEEDS = randomFillSync(new Uint32Array(3));
const LEVELS = new Map(RevocationLevel.options.map((level, index) => [level, index + 1]));

/** A level as a small number, from 1. */
export function levelNumber(level: RevocationLevel): number {
  return LEVELS.get(level) ?? 0;
}

/** The level of such a number. */
export function levelOf(number: number): RevocationLevel {
  return RevocationLevel.options[number - 1] ?? "certificate";
}

/** 96 bits of a target, into `hash`: the same within one process, and of two targets never the same in practice. */
export function hashTarget(level: number, target: string, hash: Uint32Array): void {
  let [a, b, c] = [SEEDS[0] ?? 0, SEEDS[1] ?? 0, SEEDS[2] ?? 0];
  a ^= level;
  b ^= level << 8;
  c ^= level << 16;
  for (let index = 0; index < target.length; index++) {
    const unit = target.charCodeAt(index);
    a = mix(a, unit, 0xcc9e2d51);
    b = mix(b, unit, 0x1b873593);
    c = mix(c, unit, 0x85ebca6b);
  }
  hash[0] = finish(a ^ target.length);
  hash[1] = finish(b ^ target.length);
  hash[2] = finish(c ^ target.length);
}

/** The steps of MurmurHash3 (Austin Appleby, public domain), a UTF-16 code unit at a time. */
function mix(hash: number, unit: number, factor: number): number {
  const spread = Math.imul(unit + 1, factor);
  const turned = hash ^ Math.imul((spread << 15) | (spread >>> 17), 0x2545f491);
  return (Math.imul((turned << 13) | (turned >>> 19), 5) + 0xe6546b64) | 0;
}

function finish(hash: number): number {
  let mixed = hash ^ (hash >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}
