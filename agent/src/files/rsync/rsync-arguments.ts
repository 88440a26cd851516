import type { Direction, TransferRefusal } from "../prepared-transfer.ts";
import {
  LONG_OPTIONS,
  REFUSED_LETTERS,
  REFUSED_OPTIONS,
  type RsyncValue,
  SHORT_OPTIONS,
} from "./rsync-options.ts";

/** What `rsync --server` on the host was asked for. */
export interface RsyncArguments {
  /** `read` is `--sender`: the host sends. */
  direction: Direction;
  /** The options as they are passed on, without those that name directories. */
  options: string[];
  /** Options that name a directory, in the order in which they came. */
  directories: { option: string; path: string }[];
  /** Letters of the bundle, without what follows `e`. */
  letters: ReadonlySet<string>;
  /** Names of the long options. */
  names: ReadonlySet<string>;
  /** As they were said: one where the host receives. */
  paths: string[];
}

/**
 * Behind an `e` the client tells the version of a pre-release and letters of what it can. The dot has to be there: `-e` alone
 * would take the next word for its value.
 */
const BUNDLE = /^-([a-zA-Z]*?)(e\d{0,3}\.\w{0,32})?$/;
const VALUES: Record<Exclude<RsyncValue, "directory">, RegExp> = {
  number: /^-?\d{1,18}$/,
  size: /^\d{1,18}(\.\d{1,6})?([kKmMgGtTpP]([iI]?[bB])?)?([+-]1)?$/,
  word: /^[A-Za-z0-9,_+/.-]{1,400}$/,
  name: /^[^/\p{Cc}]{1,64}$/u,
  stream: /^-$/,
  "log-format": /^(%i(%I)?|%o|X)$/,
};
const MAX_PATHS = 1000;
const MAX_WORDS = 2000;

/** The words of `rsync --server [--sender] -BUNDLE --OPTION… . PATH…`, which rsync's client sends for a shell. */
export function parseRsyncArguments(words: readonly string[]): RsyncArguments | TransferRefusal {
  if (words[1] !== "--server")
    return refused("Only the far side of a transfer may be run here: rsync --server.");
  if (words.length > MAX_WORDS) return refused("These are too many arguments for rsync.");
  const parsed = {
    options: [] as string[],
    directories: [] as { option: string; path: string }[],
    letters: new Set<string>(),
    names: new Set<string>(),
  };
  const direction = words[2] === "--sender" ? "read" : "write";
  let at = direction === "read" ? 3 : 2;
  for (; at < words.length && words[at] !== "."; at++) {
    const word = words[at] ?? "";
    const taken = word.startsWith("--")
      ? takeLong(word, words[at + 1], direction, parsed)
      : takeShort(word, parsed);
    if (typeof taken === "object") return taken;
    at += taken;
  }
  const paths = words.slice(at + 1);
  if (paths.length === 0) return refused("rsync was told no path.");
  if (direction === "write" && paths.length > 1) return refused("rsync was told two destinations.");
  if (paths.length > MAX_PATHS) return refused(`At most ${MAX_PATHS} paths may be named.`);
  if (paths.some((path) => path.length > 4096 || /\p{Cc}/u.test(path)))
    return refused("A path is too long, or has control characters.");
  return { direction, ...parsed, paths };
}

type Parsed = Pick<RsyncArguments, "options" | "directories"> & { letters: Set<string>; names: Set<string> };

/** Returns how many further words it took. */
function takeLong(
  word: string,
  next: string | undefined,
  direction: Direction,
  to: Parsed,
): number | TransferRefusal {
  const [, name = "", joined] = /^--([^=]*)(?:=(.*))?$/s.exec(word) ?? [];
  const option = LONG_OPTIONS.get(name);
  if (option === undefined) return notAllowed(`--${name}`, REFUSED_OPTIONS.get(name));
  if (option.changes === true && direction === "read") return notAllowed(`--${name}`, "the host only sends");
  if (option.value === null) {
    if (joined !== undefined) return notAllowed(word, undefined);
    to.names.add(name);
    to.options.push(word);
    return 0;
  }
  const value = joined ?? next;
  if (value === undefined) return refused(`The option --${name} of rsync has no value.`);
  to.names.add(name);
  if (option.value === "directory") to.directories.push({ option: name, path: value });
  else if (VALUES[option.value].test(value)) to.options.push(`--${name}=${value}`);
  else
    return refused(`The option --${name} of rsync may not be ${JSON.stringify(value.slice(0, 100))} here.`);
  return joined === undefined ? 1 : 0;
}

function takeShort(word: string, to: Parsed): number | TransferRefusal {
  // These two have a number, and stand alone.
  if (/^-(B\d{1,9}|@-?\d{1,9})$/.test(word)) {
    to.options.push(word);
    return 0;
  }
  const [, letters, capabilities] = BUNDLE.exec(word) ?? [];
  if (letters === undefined || word === "-") return notAllowed(word, undefined);
  for (const letter of letters) {
    if (SHORT_OPTIONS.has(letter)) to.letters.add(letter);
    else return notAllowed(`-${letter}`, REFUSED_OPTIONS.get(REFUSED_LETTERS.get(letter) ?? ""));
  }
  if (capabilities !== undefined || letters !== "") to.options.push(word);
  return 0;
}

function notAllowed(option: string, why: string | undefined): TransferRefusal {
  const shown = option.slice(0, 100).replace(/\p{Cc}/gu, "?");
  return refused(`The option ${shown} of rsync is not allowed here${why === undefined ? "" : `: ${why}`}.`);
}

function refused(detail: string): TransferRefusal {
  return { detail };
}
