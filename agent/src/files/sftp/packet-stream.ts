import { MAX_PACKET, PACKET_HEAD } from "./protocol.ts";

/** A packet's beginning that is waited for, at most: what has to be judged whole is shorter. */
export const MAX_WANTED = 16 * 1024;

/** What becomes of a packet: it goes on as it came, or this instead of it, or nothing. */
export type PacketVerdict = "pass" | "drop" | Buffer;

/** Who looks at the packets of a stream. */
export interface PacketReader {
  /** How many bytes of a packet must be there before it is judged, up to {@link MAX_WANTED}; `length` is the whole packet's. */
  wanted(type: number, length: number): number;
  /** A packet's beginning, at least what is wanted, perhaps all; `length` is the whole packet's. Replaced only when whole. */
  judge(beginning: Buffer, length: number): PacketVerdict;
  /** More of a packet that was judged. */
  more(bytes: Buffer): void;
  /** The packet is over; what goes on of it may still wait for more to go with it, unless `flush` is called. */
  over(flush: () => void): void;
}

/**
 * Follows a stream of packets. What goes on goes on in slices as large as they came, and only a beginning that was cut
 * is ever copied.
 */
export class PacketStream {
  readonly #reader: PacketReader;
  readonly #forward: (bytes: Buffer) => void;
  readonly #broken: (message: string) => void;
  /** The beginning of a packet that is not enough to judge it. */
  readonly #carry = Buffer.allocUnsafeSlow(MAX_WANTED);
  #carried = 0;
  /** Of the packet that was judged: how much is still to come, and whether it goes on. */
  #left = 0;
  #passing = false;
  #failed = false;

  constructor(
    reader: PacketReader,
    outputs: { forward(bytes: Buffer): void; broken(message: string): void },
  ) {
    this.#reader = reader;
    this.#forward = (bytes) => outputs.forward(bytes);
    this.#broken = (message) => outputs.broken(message);
  }

  /** In the middle of a packet: the stream must not end here. */
  get incomplete(): boolean {
    return this.#carried > 0 || this.#left > 0;
  }

  push(chunk: Buffer): void {
    // Beginning of what may go on and has not yet: neighbours go on together.
    let from = 0;
    let at = 0;
    const flush = (to: number) => {
      if (to > from) this.#forward(chunk.subarray(from, to));
      from = to;
    };
    while (at < chunk.length && !this.#failed) {
      if (this.#left > 0) {
        const piece = chunk.subarray(at, at + this.#left);
        this.#reader.more(piece);
        at += piece.length;
        this.#left -= piece.length;
        if (!this.#passing) from = at;
        if (this.#left === 0) this.#reader.over(() => flush(at));
        continue;
      }
      if (this.#carried > 0) {
        at += this.#complete(chunk.subarray(at));
        from = at;
        continue;
      }
      const need = this.#need(chunk.subarray(at));
      if (need === null) break;
      if (need > chunk.length - at) {
        flush(at);
        this.#keep(chunk.subarray(at));
        return;
      }
      const length = 4 + chunk.readUInt32BE(at);
      const beginning = chunk.subarray(at, at + length);
      const verdict = this.#reader.judge(beginning, length);
      if (verdict !== "pass") {
        flush(at);
        from = at + beginning.length;
      }
      at += beginning.length;
      this.#judged(verdict, length - beginning.length, () => flush(at));
    }
    flush(at);
  }

  /** More of a cut beginning; returns how much of the chunk belongs to it. */
  #complete(chunk: Buffer): number {
    const need = this.#need(this.#kept());
    if (need === null) return 0;
    const piece = chunk.subarray(0, need - this.#carried);
    this.#keep(piece);
    const beginning = this.#kept();
    // With the head there, more may be needed.
    const all = this.#need(beginning);
    if (all === null || all > beginning.length) return piece.length;
    this.#carried = 0;
    const length = 4 + beginning.readUInt32BE(0);
    const verdict = this.#reader.judge(beginning, length);
    if (verdict === "pass") this.#forward(beginning);
    this.#judged(verdict, length - beginning.length, () => {});
    return piece.length;
  }

  #judged(verdict: PacketVerdict, left: number, flush: () => void): void {
    if (Buffer.isBuffer(verdict)) this.#forward(verdict);
    this.#left = left;
    this.#passing = verdict === "pass";
    if (left === 0) this.#reader.over(flush);
  }

  /** How many bytes must be there; null when this is no packet. */
  #need(beginning: Buffer): number | null {
    if (beginning.length < PACKET_HEAD) return PACKET_HEAD;
    const length = beginning.readUInt32BE(0);
    if (length < PACKET_HEAD - 4 || length > MAX_PACKET) {
      this.#failed = true;
      this.#broken("This is not SFTP.");
      return null;
    }
    const wanted = this.#reader.wanted(beginning.readUInt8(4), 4 + length);
    return Math.max(PACKET_HEAD, Math.min(4 + length, wanted, MAX_WANTED));
  }

  #keep(bytes: Buffer): void {
    bytes.copy(this.#carry, this.#carried);
    this.#carried += bytes.length;
  }

  #kept(): Buffer {
    return this.#carry.subarray(0, this.#carried);
  }
}
