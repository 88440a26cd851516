/*
 * The protocol of `scp -O`, rcp(1)'s: two sides in lock-step. The source sends records, each a line, `T` times, `C` a file
 * (then its bytes and a status), `D` a directory and `E` its end; the sink answers each with \0, or \1 and a line for an
 * error after which it goes on, \2 and a line for its last. A source that cannot read a file sends such a line instead of a
 * record, and nobody answers that.
 */

/** A file, or a directory whose size means nothing. */
export interface ScpEntry {
  kind: "file" | "directory";
  name: Buffer;
  size: number;
}

export type ScpRecord = ScpEntry | { kind: "times" } | { kind: "end" };

/** Called as the exchange goes on; bytes are valid until the call returns. */
export interface ScpObserver {
  toSink(bytes: Uint8Array): void;
  toSource(bytes: Uint8Array): void;
  /** A record is to be passed on; returns null, or the sentence that is answered instead. */
  judge(record: ScpRecord): string | null;
  /** The sink has answered a record, or a whole file when `complete`; `error` is what it, or the source, said. */
  answered(record: ScpRecord, error: string | null, complete: boolean): void;
  data(bytes: Buffer): void;
  /** The source could not do what it was to do, and said why. */
  complained(message: string): void;
  /** This is not the protocol, or can no longer be followed. */
  broken(message: string): void;
}

type Expected = "greeting" | "record" | "answer" | "data" | "status" | "result" | "nothing";

/** Longest line, name included: scp(1) itself takes 16 KiB. */
const MAX_LINE = 16 * 1024;
/** What may wait while the other side's answer is outstanding; who keeps to the protocol sends nothing then. */
const MAX_HELD = 1024 * 1024;
const RECORD = /^(?:([CD])[0-7]{4} (\d{1,15}) ([^\0]+)|(T)\d{1,19} \d{1,6} \d{1,19} \d{1,6}|(E))$/;

/**
 * Passes on exactly what the protocol has next, and holds everything else: a record that the sink has not answered yet may
 * turn out to have no data, and what follows it would then be taken for records that nobody has judged.
 */
export class ScpExchange {
  readonly #observer: ScpObserver;
  #expected: Expected = "greeting";
  #source: Buffer = Buffer.alloc(0);
  #sink: Buffer = Buffer.alloc(0);
  #record: ScpRecord = { kind: "end" };
  #left = 0;
  #sourceError: string | null = null;
  /** Of each open directory, whether times came with it. */
  readonly #directories: boolean[] = [];
  #timed = false;
  /** A sink may say that it could not set a directory's times after it has answered its end: whose answer is the next? */
  #uncertain = false;

  constructor(observer: ScpObserver) {
    this.#observer = observer;
  }

  fromSource(bytes: Buffer): void {
    this.#source = this.#source.length === 0 ? bytes : Buffer.concat([this.#source, bytes]);
    this.#run();
  }

  fromSink(bytes: Buffer): void {
    this.#sink = this.#sink.length === 0 ? bytes : Buffer.concat([this.#sink, bytes]);
    this.#run();
  }

  #run(): void {
    while (this.#expected !== "nothing" && this.#step());
    if (this.#expected === "nothing") {
      this.#source = this.#sink = Buffer.alloc(0);
      return;
    }
    if (this.#source.length > MAX_HELD || this.#sink.length > MAX_LINE)
      this.#break("One side of this scp does not wait for the other's answers.");
    // What came is valid for this call only.
    this.#source = Buffer.from(this.#source);
    this.#sink = Buffer.from(this.#sink);
  }

  /** True where something was taken. */
  #step(): boolean {
    switch (this.#expected) {
      case "record":
        return this.#takeRecord();
      case "data":
        return this.#takeData();
      case "status":
        return this.#takeStatus();
      default:
        return this.#takeAnswer();
    }
  }

  #takeRecord(): boolean {
    const line = this.#line("source");
    if (line === null) return false;
    if (line[0] === 1 || line[0] === 2) {
      this.#observer.complained(line.subarray(1, -1).toString("utf8"));
      this.#observer.toSink(line);
      if (line[0] === 2) this.#expected = "nothing";
      return true;
    }
    const record = parseRecord(line);
    if (record === null || (record.kind === "end" && this.#directories.length === 0)) {
      this.#break("This is not what scp sends.");
      return false;
    }
    const refusal = this.#observer.judge(record);
    if (refusal !== null) {
      this.#timed = false;
      this.#observer.toSource(errorLine(refusal));
      return true;
    }
    this.#record = record;
    this.#expected = "answer";
    this.#observer.toSink(record.kind === "file" || record.kind === "directory" ? withoutSetuid(line) : line);
    return true;
  }

  #takeAnswer(): boolean {
    const answer = this.#answer("sink");
    if (answer === null) return false;
    const { expected, record } = { expected: this.#expected, record: this.#record };
    this.#expected = "record";
    this.#observer.toSource(answer.bytes);
    if (answer.error !== null && this.#uncertain) {
      this.#observer.answered(record, answer.error, expected === "result");
      this.#break(
        "scp ended, because it could not set the times of a directory, or write the file after it.",
      );
      return false;
    }
    this.#uncertain = false;
    if (expected === "greeting") return true;
    if (expected === "result") {
      this.#observer.answered(record, this.#sourceError ?? answer.error, true);
      return true;
    }
    this.#observer.answered(record, answer.error, false);
    if (answer.error === null) this.#enter(record);
    return true;
  }

  /** A record was taken by the sink. */
  #enter(record: ScpRecord): void {
    if (record.kind === "file") {
      this.#left = record.size;
      this.#expected = record.size === 0 ? "status" : "data";
    } else if (record.kind === "directory") this.#directories.push(this.#timed);
    else if (record.kind === "end") this.#uncertain = this.#directories.pop() === true;
    this.#timed = record.kind === "times";
  }

  #takeData(): boolean {
    const bytes = this.#source.subarray(0, this.#left);
    if (bytes.length === 0) return false;
    this.#source = this.#source.subarray(bytes.length);
    this.#left -= bytes.length;
    if (this.#left === 0) this.#expected = "status";
    this.#observer.data(bytes);
    this.#observer.toSink(bytes);
    return true;
  }

  #takeStatus(): boolean {
    const status = this.#answer("source");
    if (status === null) return false;
    this.#sourceError = status.error;
    this.#expected = "result";
    this.#observer.toSink(status.bytes);
    return true;
  }

  #answer(side: "source" | "sink"): { bytes: Buffer; error: string | null } | null {
    const held = side === "source" ? this.#source : this.#sink;
    if (held[0] === 0) return { bytes: this.#cut(side, 1), error: null };
    if (held.length > 0 && held[0] !== 1 && held[0] !== 2) {
      this.#break("This is not what scp answers.");
      return null;
    }
    const bytes = this.#line(side);
    return bytes === null ? null : { bytes, error: bytes.subarray(1, -1).toString("utf8") };
  }

  #line(side: "source" | "sink"): Buffer | null {
    const held = side === "source" ? this.#source : this.#sink;
    const end = held.indexOf(0x0a);
    if (end >= MAX_LINE || (end < 0 && held.length >= MAX_LINE)) {
      this.#break("A line of scp's protocol is too long.");
      return null;
    }
    return end < 0 ? null : this.#cut(side, end + 1);
  }

  #cut(side: "source" | "sink", length: number): Buffer {
    const held = side === "source" ? this.#source : this.#sink;
    if (side === "source") this.#source = held.subarray(length);
    else this.#sink = held.subarray(length);
    return held.subarray(0, length);
  }

  #break(message: string): void {
    this.#expected = "nothing";
    this.#observer.broken(message);
  }
}

/** An error as scp(1) prints it at the other side, which goes on with the next file. */
export function errorLine(sentence: string): Buffer {
  return Buffer.from(`\u0001scp: ${sentence.replace(/\p{Cc}/gu, "?")}\n`);
}

/** The same record without the bits that let a program run as its owner or group. */
function withoutSetuid(line: Buffer): Buffer {
  const copy = Buffer.from(line);
  copy[1] = 0x30 + (((copy[1] ?? 0) - 0x30) & 1);
  return copy;
}

function parseRecord(line: Buffer): ScpRecord | null {
  // Bytes as letters: a name is bytes, and stays so.
  const text = line.subarray(0, -1).toString("latin1");
  const [, kind, size, name, times] = RECORD.exec(text) ?? [];
  if (name !== undefined)
    return {
      kind: kind === "C" ? "file" : "directory",
      name: Buffer.from(name, "latin1"),
      size: kind === "C" ? Number(size) : 0,
    };
  if (times !== undefined) return { kind: "times" };
  return text === "E" ? { kind: "end" } : null;
}
