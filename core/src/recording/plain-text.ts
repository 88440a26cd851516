import { StringDecoder } from "node:string_decoder";

/*
 * Escapes of ECMA-48, in characters: CSI … final byte; OSC, DCS, PM, APC and SOS … BEL or ST; other escapes; C1 controls.
 * Each has a longest length, past which it is shown as text: an escape without end must not hide what comes after it.
 */
const ESC = "\\u001b";
const PARAMETERS = "[0-?]{0,256}[ -/]{0,16}";
const BODY = "[^\\u0007\\u0018\\u001a\\u001b\\u009c]{0,4096}";
const ESCAPES = new RegExp(
  [
    `${ESC}\\[${PARAMETERS}[@-~]`,
    `${ESC}[\\]PX^_]${BODY}(?:\\u0007|${ESC}\\\\|\\u009c)`,
    `${ESC}(?:[ -/]{1,16}[0-~]|[0-OQ-WYZ\\\\\\u0060-~])`,
    "[\\u0080-\\u009f]",
  ].join("|"),
  "g",
);
/** An escape that began and may yet be completed. */
const INCOMPLETE = new RegExp(`${ESC}(?:\\[${PARAMETERS}|[\\]PX^_]${BODY}${ESC}?|[ -/]{0,16})$`);
const CONTROLS = /(?![\t\n])\p{Cc}/gu;

/** Turns the bytes of one terminal stream into plain text, wherever they are cut: no escapes, no controls but tab and line end. */
export class PlainText {
  readonly #decoder = new StringDecoder("utf8");
  #pending = "";

  write(data: Uint8Array): string {
    const text = this.#pending + this.#decoder.write(Buffer.from(data));
    const cut = text.search(INCOMPLETE);
    this.#pending = cut === -1 ? "" : text.slice(cut);
    return plain(cut === -1 ? text : text.slice(0, cut));
  }

  /** What was held back, as it stands. */
  end(): string {
    return plain(this.#pending + this.#decoder.end());
  }
}

function plain(text: string): string {
  return text.replace(ESCAPES, "").replace(CONTROLS, "");
}
