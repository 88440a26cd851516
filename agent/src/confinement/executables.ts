import { closeSync, constants, openSync, readSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import { PROGRAM_PATH } from "@sallyport/core/commands/command-rule.ts";

/** As many interpreters of interpreters as the kernel follows (execve(2)). */
const MAX_DEPTH = 5;
/** Of a file, its beginning: ELF header and program headers, or the `#!` line. */
const HEAD = 4096;
const MAX_INTERPRETER = 4096;
const PT_INTERP = 3;

/**
 * The files that the kernel executes for a program: itself, its ELF interpreter, the interpreters of a script, and what
 * `#!/usr/bin/env NAME` finds; after symbolic links. A program that is not there, or is not one, is alone.
 */
export function executables(program: string): string[] {
  const found = new Set<string>();
  follow(program, MAX_DEPTH, found);
  return [...found];
}

function follow(path: string, depth: number, found: Set<string>): void {
  const file = realPath(path);
  if (file === null || found.has(file) || depth === 0) return;
  found.add(file);
  for (const next of interpretersOf(file)) follow(next, depth - 1, found);
}

function interpretersOf(file: string): string[] {
  let descriptor: number;
  try {
    if (!statSync(file).isFile()) return [];
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return [];
  }
  try {
    const head = readAt(descriptor, 0, HEAD);
    if (head.toString("latin1", 0, 2) === "#!") return scriptInterpreters(head);
    if (head.toString("latin1", 0, 4) === "\x7fELF") return elfInterpreter(descriptor, head);
    return [];
  } finally {
    closeSync(descriptor);
  }
}

/** `#! interpreter argument`; with env(1) also the first word that is neither an option nor an assignment. */
function scriptInterpreters(head: Buffer): string[] {
  const end = head.indexOf(0x0a);
  const line = head.toString("utf8", 2, end < 0 ? head.length : end);
  const [interpreter = "", ...words] = line.split(/[ \t]+/).filter((word) => word !== "");
  if (!interpreter.startsWith("/")) return [];
  if (!interpreter.endsWith("/env")) return [interpreter];
  const name = words.find((word) => !word.startsWith("-") && !word.includes("="));
  return [interpreter, ...(name === undefined ? [] : onPath(name))];
}

function onPath(name: string): string[] {
  const candidates = name.includes("/") ? [name] : PROGRAM_PATH.map((directory) => join(directory, name));
  const found = candidates.find((one) => one.startsWith("/") && realPath(one) !== null);
  return found === undefined ? [] : [found];
}

/** The text of the first PT_INTERP program header, elf(5); programs of the other byte order do not run here. */
function elfInterpreter(descriptor: number, head: Buffer): string[] {
  const wide = head[4] === 2;
  if (head.length < 64 || head[5] !== 1) return [];
  const number = (at: number) => (wide ? Number(head.readBigUInt64LE(at)) : head.readUInt32LE(at));
  const table = number(wide ? 32 : 28);
  const [size, count] = [head.readUInt16LE(wide ? 54 : 42), head.readUInt16LE(wide ? 56 : 44)];
  for (let at = table, left = count; left > 0 && at + (wide ? 56 : 32) <= head.length; left--, at += size) {
    if (head.readUInt32LE(at) !== PT_INTERP) continue;
    const [offset, length] = [number(at + (wide ? 8 : 4)), number(at + (wide ? 32 : 16))];
    if (length > MAX_INTERPRETER || !Number.isSafeInteger(offset)) return [];
    const path = readAt(descriptor, offset, length).toString("utf8").split("\0")[0] ?? "";
    return path.startsWith("/") ? [path] : [];
  }
  return [];
}

function readAt(descriptor: number, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, readSync(descriptor, bytes, 0, length, position));
}

/** realpath(3), or null. */
export function realPath(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
}
