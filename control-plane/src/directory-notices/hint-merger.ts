/** Least time between two checks of one person that notices cause. */
const EVERY_MS = 10_000;
/** People remembered at once; more are those of a directory that is being rewritten, and their next check comes by itself. */
const MOST = 10_000;

/** Who is asked about. */
export interface HintNeeds {
  /** Asks the IdP about somebody at once. Never throws. */
  checkNow(issuer: string, subject: string): void;
}

/**
 * Turns notices of changes into checks: the first about somebody at once, and what comes within 10 s of it as one more check at the end
 * of them, so that no change goes unseen and no flood of notices becomes one of questions.
 */
export class HintMerger {
  readonly #needs: HintNeeds;
  /** Who was asked about lately, and whether something has come since. */
  readonly #recent = new Map<string, { timer: NodeJS.Timeout; again: boolean }>();

  constructor(needs: HintNeeds) {
    this.#needs = needs;
  }

  /** Something has changed about somebody. */
  hint(issuer: string, subject: string): void {
    const key = JSON.stringify([issuer, subject]);
    const known = this.#recent.get(key);
    if (known !== undefined) known.again = true;
    else if (this.#recent.size < MOST) this.#check(key, issuer, subject);
  }

  /** Drops what has not been asked yet: the regular checks ask for it. */
  stop(): void {
    for (const { timer } of this.#recent.values()) clearTimeout(timer);
    this.#recent.clear();
  }

  #check(key: string, issuer: string, subject: string): void {
    const timer = setTimeout(() => {
      const again = this.#recent.get(key)?.again ?? false;
      this.#recent.delete(key);
      if (again) this.#check(key, issuer, subject);
    }, EVERY_MS);
    timer.unref();
    this.#recent.set(key, { timer, again: false });
    this.#needs.checkNow(issuer, subject);
  }
}
