/**
 * Makes text from outside safe to print: control characters (C0, DEL, C1), line separators and bidirectional
 * overrides become `\u{…}` escapes, and anything past `maxLength` characters is cut with an ellipsis. Nothing that
 * passes through here can move the cursor, change a title or forge a second line.
 */
export function printable(text: string, maxLength = 500): string {
  let out = "";
  for (const char of text) {
    if (out.length >= maxLength) return `${out}…`;
    out += isUnsafe(char.codePointAt(0) ?? 0) ? `\\u{${char.codePointAt(0)?.toString(16)}}` : char;
  }
  return out;
}

/**
 * The same JSON, with what {@link printable} would escape written as `\uXXXX`: JSON.stringify leaves DEL, C1 control
 * characters, line separators and bidirectional overrides as they are, and a log is read on a terminal.
 */
export function printableJson(json: string): string {
  const code = (char: string) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return json.replace(/[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, code);
}

function isUnsafe(codePoint: number): boolean {
  return (
    codePoint < 0x20 ||
    (codePoint >= 0x7f && codePoint <= 0x9f) ||
    (codePoint >= 0x2028 && codePoint <= 0x202e) ||
    (codePoint >= 0x2066 && codePoint <= 0x2069) ||
    (codePoint >= 0xd800 && codePoint <= 0xdfff)
  );
}
