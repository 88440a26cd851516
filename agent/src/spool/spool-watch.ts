import type { SpoolAccount } from "./spool-account.ts";
import type { SpoolAge } from "./spool-age.ts";
import type { Shortage, SpoolSpace } from "./spool-space.ts";

const MEASURE_MS = 1_000;
/** While logins are refused, room is looked for this often; a login looks for itself. */
const LOOK_MS = 5_000;
const AGE_MS = 3_600_000;

export interface WatchContext {
  account: SpoolAccount;
  space: SpoolSpace;
  age: SpoolAge;
  /** Ids of the running sessions. */
  live(): readonly string[];
  /** From now on logins are refused, or (null) not any more. */
  onShortage(shortage: Shortage): void;
  /** Running sessions have used up the reserve behind `spoolLimit`: this one, the largest, must end. */
  onOverdrawn(recording: string): void;
  /** The spool could not be looked at. */
  onTrouble(error: unknown): void;
}

/** Keeps an eye on the spool: cheap for a login, and at rest when nothing happens. */
export class SpoolWatch {
  readonly #context: WatchContext;
  #measuring: NodeJS.Timeout | undefined;
  #looking: NodeJS.Timeout | undefined;
  #aging: NodeJS.Timeout | undefined;
  #short = false;

  constructor(context: WatchContext) {
    this.#context = context;
  }

  /** Measures what is there, and looks for what is too old, now and every hour. */
  async start(): Promise<void> {
    this.#aging = setInterval(() => void this.#hourly(), AGE_MS).unref();
    await this.#hourly();
  }

  stop(): void {
    clearInterval(this.#aging);
    clearTimeout(this.#measuring);
    clearTimeout(this.#looking);
  }

  /** True when there is room for another session. Logins ask this, and are answered from the disk as it is now. */
  get admits(): boolean {
    return this.#look() === null;
  }

  /** Bytes that recordings take. */
  get bytes(): number {
    return this.#context.account.used;
  }

  /** A recording has grown, was moved, or is gone: it is measured within a second. */
  changed(recording: string): void {
    this.#context.account.changed(recording);
    this.#measuring ??= setTimeout(() => void this.#measure(), MEASURE_MS).unref();
  }

  async #measure(): Promise<void> {
    const { account, space, onOverdrawn, live } = this.#context;
    await account.measure().catch(this.#context.onTrouble);
    this.#measuring = undefined;
    this.#look();
    if (!space.overdrawn) return;
    const [largest] = [...live()].sort((a, b) => account.sizeOf(b) - account.sizeOf(a));
    if (largest !== undefined) onOverdrawn(largest);
  }

  #look(): Shortage {
    const { space, onShortage } = this.#context;
    const { shortage } = space;
    if ((shortage !== null) !== this.#short) {
      this.#short = shortage !== null;
      onShortage(shortage);
      // What the control plane has stored gives way first.
      if (this.#short) void this.#makeRoom();
    }
    if (this.#short) this.#looking ??= setTimeout(() => this.#lookAgain(), LOOK_MS).unref();
    return shortage;
  }

  #lookAgain(): void {
    this.#looking = undefined;
    this.#look();
  }

  async #makeRoom(): Promise<void> {
    try {
      if (await this.#context.age.removeKept()) this.#look();
    } catch (error) {
      this.#context.onTrouble(error);
    }
  }

  async #hourly(): Promise<void> {
    try {
      await this.#context.age.look();
      await this.#context.account.measureAll();
    } catch (error) {
      this.#context.onTrouble(error);
    }
    this.#look();
  }
}
