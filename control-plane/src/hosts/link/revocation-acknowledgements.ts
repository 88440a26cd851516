import { Acknowledgements } from "./acknowledgements.ts";

/** Answers that are kept for whoever waits a moment too late. */
const KEPT = 100;

/** How far one host says that the list is in force there, and what that ended. An answer means all entries up to its number. */
export class RevocationAcknowledgements {
  readonly #waiting = new Acknowledgements<true>();
  #recent: { sequence: number; endedSessions: string[] }[] = [];
  #sequence = 0;

  /** The highest number that was acknowledged. */
  get sequence(): number {
    return this.#sequence;
  }

  /**
   * The sessions that were ended for these entries, or undefined when the host has not said within `timeoutMs` that it has all up to
   * the last.
   */
  async wait(
    { first, last }: { first: number; last: number },
    timeoutMs: number,
  ): Promise<string[] | undefined> {
    const answer = last <= this.#sequence || (await this.#waiting.wait(last, timeoutMs));
    if (answer === undefined) return undefined;
    const covering = this.#recent.find(({ sequence }) => sequence >= last)?.sequence ?? last;
    const answers = this.#recent.filter(({ sequence }) => sequence >= first && sequence <= covering);
    return [...new Set(answers.flatMap(({ endedSessions }) => endedSessions))];
  }

  /** The host has said so, before or now, of all entries up to this one. */
  acknowledged(sequence: number, endedSessions: string[]): void {
    this.#keep(sequence, endedSessions);
    this.#sequence = Math.max(this.#sequence, sequence);
    this.#waiting.resolve(sequence, true, { orLower: true });
  }

  /** The host has said so of this entry; nothing is known of those before. */
  acknowledgedAlone(sequence: number, endedSessions: string[]): void {
    this.#keep(sequence, endedSessions);
    this.#waiting.resolve(sequence, true);
  }

  #keep(sequence: number, endedSessions: string[]): void {
    if (sequence <= this.#sequence && endedSessions.length === 0) return;
    this.#recent = [...this.#recent, { sequence, endedSessions }]
      .slice(-KEPT)
      .toSorted((one, other) => one.sequence - other.sequence);
  }

  /** The link is gone: nobody waits any longer. */
  close(): void {
    this.#waiting.close();
  }
}
