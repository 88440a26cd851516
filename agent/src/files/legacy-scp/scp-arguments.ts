import type { TransferRefusal } from "../prepared-transfer.ts";

/** What `scp -t` or `scp -f` on the host was asked for. */
export interface ScpArguments {
  /** `write` is `-t` ("to"), the host receives; `read` is `-f` ("from"). */
  direction: "read" | "write";
  /** The options among `-v -r -p -d`, as they are passed on. */
  options: string[];
  recursive: boolean;
  /** As it was said; relative to where the session starts. */
  path: string;
}

/** The options that scp(1) sends to its other side. Others are refused, above all `-S` and `-o`, which run programs. */
const OPTIONS = new Set("vrpdqtf");

/**
 * The words of `scp [-v] [-r] [-p] [-d] -t|-f [--] PATH`, which the contractor's `scp -O` sends for a shell. There is no
 * shell here, and one path: what a shell would have made of a pattern is not guessed.
 */
export function parseScpArguments(words: readonly string[]): ScpArguments | TransferRefusal {
  const letters: string[] = [];
  let at = 1;
  for (; at < words.length; at++) {
    const word = words[at] ?? "";
    if (word === "--") {
      at++;
      break;
    }
    if (!word.startsWith("-") || word === "-") break;
    const unknown = [...word.slice(1)].find((letter) => !OPTIONS.has(letter));
    if (unknown !== undefined)
      return refused(`The option ${word} of scp is not allowed here; -v, -r, -p, -d, -t and -f are.`);
    letters.push(...word.slice(1));
  }
  const to = letters.includes("t");
  if (to === letters.includes("f"))
    return refused("Only the far side of a transfer may be run here: scp with one of -t and -f.");
  const [path, ...more] = words.slice(at);
  if (path === undefined) return refused("scp was told no path.");
  if (more.length > 0)
    return refused("scp -O may name one path here at a time. Without -O, scp takes several, and patterns.");
  if (path.length > 4096 || /\p{Cc}/u.test(path))
    return refused("The path is too long, or has control characters.");
  return {
    direction: to ? "write" : "read",
    options: ["v", "r", "p", "d"].filter((letter) => letters.includes(letter)).map((letter) => `-${letter}`),
    recursive: letters.includes("r"),
    path,
  };
}

function refused(detail: string): TransferRefusal {
  return { detail };
}
