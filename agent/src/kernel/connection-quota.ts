/**
 * Counts the connections that one user has to a socket which every account may connect to, and that have not shown yet
 * what they are for: so that nobody who is on the host can take the descriptors and the memory that sessions need.
 */
export class ConnectionQuota {
  readonly #most: number;
  readonly #byUid = new Map<number, number>();

  /** More than sessions that begin at the same moment, in one account. */
  constructor(most = 1_000) {
    this.#most = most;
  }

  /** Counts one more of this uid; returns what is to be called when it is no longer one, or null where it is too many. */
  take(uid: number): (() => void) | null {
    const count = this.#byUid.get(uid) ?? 0;
    if (count >= this.#most) return null;
    this.#byUid.set(uid, count + 1);
    let isTaken = true;
    return () => {
      if (!isTaken) return;
      isTaken = false;
      const left = (this.#byUid.get(uid) ?? 1) - 1;
      if (left > 0) this.#byUid.set(uid, left);
      else this.#byUid.delete(uid);
    };
  }
}
