/**
 * `JSON.parse` of UTF-8 that refuses an object which names a member twice (RFC 7515 §4, RFC 7519 §4): which of them counts,
 * another reader might see otherwise. Throws a SyntaxError, or a TypeError where it is not UTF-8.
 */
export function parseUniqueJson(bytes: Uint8Array): unknown {
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  const value: unknown = JSON.parse(text);
  refuseRepeated(text);
  return value;
}

/** The tokens of JSON that matter here: strings and brackets; what is between them JSON.parse has judged. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\]:]/g;

/** Of text that is JSON. */
function refuseRepeated(text: string): void {
  /** Names seen, of each object that is open; undefined for arrays. */
  const open: (Set<string> | undefined)[] = [];
  let string = "";
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === "{") open.push(new Set());
    else if (token === "[") open.push(undefined);
    else if (token === "}" || token === "]") open.pop();
    else if (token !== ":") string = token;
    else {
      // Escapes count as what they stand for.
      const name = JSON.parse(string) as string;
      const names = open.at(-1);
      if (names?.has(name)) throw new SyntaxError("a member is named twice");
      names?.add(name);
    }
  }
}
