import { isDrawingOsc, replacedCsi } from "./terminal-sequences.ts";

const ENQ = 0x05;
const BEL = 0x07;
const CAN = 0x18;
const SUB = 0x1a;
const ESC = 0x1b;
const C1_ST = 0x9c;
/** A longer sequence is dropped whole: nothing that only draws is that long. */
const MAX_STRING = 8192;
const MAX_CSI = 256;
/** What begins a string up to ST: DCS, SOS, OSC, PM, APC, by the byte after ESC. */
const STRINGS = new Set([0x50, 0x58, 0x5d, 0x5e, 0x5f]);
const OSC = 0x5d;
const CSI = 0x5b;
/** DECID: asks for the device attributes. */
const DECID = 0x5a;

type State = "ground" | "escape" | "csi" | "osc" | "other-string";

/**
 * Takes out of a terminal's output what would make the terminal answer or act, see `terminal-sequences.ts`, and leaves
 * every other byte as it is. It reads UTF-8 as terminals do, so that a byte inside a character is no control. Sequences
 * may be cut by the borders of what is fed; a started one is held back until its end.
 */
export class TerminalFilter {
  #state: State = "ground";
  /** The sequence so far, from its ESC or C1 byte on, and where its content starts. */
  #held: number[] = [];
  #content = 0;
  /** Continuation bytes that the UTF-8 character in progress still has. */
  #continuation = 0;
  /** A 0xC2 is held back: with the next byte it may be a C1 control in UTF-8. */
  #afterC2 = false;
  #out: number[] = [];

  /** Filters the next bytes. */
  feed(bytes: Uint8Array): Uint8Array {
    this.#out = [];
    for (const byte of bytes) this.#take(byte);
    return Uint8Array.from(this.#out);
  }

  /** What is held back at the end and is no sequence. */
  end(): Uint8Array {
    return this.#afterC2 ? Uint8Array.of(0xc2) : new Uint8Array();
  }

  #take(byte: number): void {
    if (byte === CAN || byte === SUB) this.#abort(byte);
    else if (this.#state === "osc" || this.#state === "other-string") this.#string(byte);
    else if (byte === ESC) this.#begin();
    else if (this.#state === "ground") this.#ground(byte);
    else if (byte < 0x20) this.#control(byte);
    else if (byte >= 0x80) this.#restart(byte);
    else if (byte === 0x7f)
      this.#continuation = 0; // DEL means nothing to a terminal
    else if (this.#state === "escape") this.#escape(byte);
    else this.#csi(byte);
  }

  /** CAN and SUB end any sequence. */
  #abort(byte: number): void {
    this.#releaseC2();
    this.#drop();
    this.#out.push(byte);
  }

  #begin(): void {
    this.#releaseC2();
    this.#drop();
    this.#state = "escape";
    this.#held.push(ESC);
  }

  /** A sequence that a byte of another kind broke off is dropped, and that byte begins something new. */
  #restart(byte: number): void {
    this.#drop();
    this.#ground(byte);
  }

  #ground(byte: number): void {
    if (this.#afterC2 && byte >= 0x80 && byte <= 0x9f) {
      this.#afterC2 = false;
      this.#c1(byte, [0xc2, byte]);
    } else if (this.#afterC2 && byte >= 0xa0 && byte <= 0xbf) {
      this.#releaseC2();
      this.#out.push(byte);
    } else if (this.#continuation > 0 && byte >= 0x80 && byte <= 0xbf) {
      this.#continuation--;
      this.#out.push(byte);
    } else {
      this.#releaseC2();
      this.#continuation = continuationBytes(byte);
      if (byte === 0xc2) this.#afterC2 = true;
      else if (byte >= 0x80 && byte <= 0x9f) this.#c1(byte, [byte]);
      else this.#control(byte);
    }
  }

  #releaseC2(): void {
    if (this.#afterC2) this.#out.push(0xc2);
    this.#afterC2 = false;
  }

  /** A C1 control, in one byte or as UTF-8: the same as ESC and the byte less 0x40. */
  #c1(byte: number, written: number[]): void {
    this.#drop();
    this.#held = written;
    this.#introduce(byte - 0x40);
  }

  #escape(byte: number): void {
    this.#held.push(byte);
    // ESC, intermediates, one final byte: character sets and the like, which only draw.
    if (byte > 0x2f && this.#held.length === 2) this.#introduce(byte);
    else if (byte > 0x2f) this.#pass();
    else if (this.#held.length > 8) this.#drop();
  }

  /** What the byte after ESC begins. */
  #introduce(byte: number): void {
    this.#content = this.#held.length;
    if (byte === CSI) this.#state = "csi";
    else if (STRINGS.has(byte)) this.#state = byte === OSC ? "osc" : "other-string";
    else if (byte === DECID) this.#drop();
    else this.#pass();
  }

  #csi(byte: number): void {
    this.#held.push(byte);
    if (this.#held.length > MAX_CSI) this.#drop();
    else if (byte >= 0x40) this.#endCsi(String.fromCharCode(byte));
  }

  #endCsi(final: string): void {
    const content = Buffer.from(this.#held.slice(this.#content, -1)).toString("latin1");
    const parts = /^([0-?]*)([ -/]*)$/.exec(content);
    // Parameters behind intermediates are against ECMA-48; terminals differ in what they make of it.
    const replaced = parts === null ? "" : replacedCsi(parts[1] ?? "", parts[2] ?? "", final);
    if (replaced !== undefined) this.#held = [...Buffer.from(replaced, "latin1")];
    this.#pass();
  }

  #string(byte: number): void {
    const afterEsc = this.#held.at(-1) === ESC && this.#held.length > this.#content;
    if (byte === BEL || byte === C1_ST || (afterEsc && byte === 0x5c)) {
      this.#held.push(byte);
      this.#endString();
    } else if (afterEsc) {
      // An ESC that begins no ST ends the string and begins something else.
      this.#begin();
      this.#take(byte);
    } else if (this.#held.length < MAX_STRING || byte === ESC) {
      this.#held.push(byte);
    } else {
      this.#state = "other-string";
    }
  }

  #endString(): void {
    const last = this.#held.at(-1);
    const terminator = last === 0x5c || (last === C1_ST && this.#held.at(-2) === 0xc2) ? 2 : 1;
    const content = Buffer.from(this.#held.slice(this.#content, -terminator)).toString("utf8");
    if (this.#state === "osc" && isDrawingOsc(content)) this.#pass();
    else this.#drop();
  }

  /** A control character inside a sequence is obeyed at once, and the sequence goes on. ENQ asks for an answer. */
  #control(byte: number): void {
    if (byte !== ENQ) this.#out.push(byte);
  }

  #pass(): void {
    this.#out.push(...this.#held);
    this.#drop();
  }

  #drop(): void {
    this.#state = "ground";
    this.#held = [];
    this.#continuation = 0;
  }
}

function continuationBytes(lead: number): number {
  if (lead >= 0xf0 && lead <= 0xf4) return 3;
  if (lead >= 0xe0 && lead < 0xf0) return 2;
  return lead > 0xc2 && lead < 0xe0 ? 1 : 0;
}
