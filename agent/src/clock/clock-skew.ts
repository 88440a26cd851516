/** Seconds of difference that are worth a line in the log. */
const WORTH_SAYING = 30;

/** How many seconds another party's clock is ahead of ours. */
export interface Skew {
  peer: string;
  seconds: number;
}

/** What other parties' clocks say: the control plane's, and each identity provider's. */
export class ClockSkew {
  readonly #seconds = new Map<string, number>();
  readonly #onSkew: (skew: Skew) => void;

  /** `onSkew` hears of a difference when it comes to be large, and again when it has changed as much. */
  constructor(onSkew: (skew: Skew) => void) {
    this.#onSkew = onSkew;
  }

  note(peer: string, seconds: number): void {
    const before = this.#seconds.get(peer) ?? 0;
    this.#seconds.set(peer, seconds);
    if (Math.abs(seconds) > WORTH_SAYING && Math.abs(seconds - before) > WORTH_SAYING)
      this.#onSkew({ peer, seconds });
  }

  /** The last word of each. */
  skew(): Skew[] {
    return [...this.#seconds].map(([peer, seconds]) => ({ peer, seconds: Math.round(seconds * 10) / 10 }));
  }
}
