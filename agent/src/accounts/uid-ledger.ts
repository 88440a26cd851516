import { existsSync, readFileSync } from "node:fs";
import { SallyportError } from "@sallyport/core/errors.ts";
import { AccountName, Id } from "@sallyport/core/names.ts";
import { writeFileDurably } from "@sallyport/uplink/spool/durable.ts";
import { z } from "zod";

/** What became of an account of ours: in use, on its way out, locked and empty, or no longer in /etc/passwd. */
const LedgerState = z.enum(["active", "ending", "locked", "gone"]);

const LedgerEntry = z.strictObject({
  memberId: Id,
  uid: z.int().min(1),
  account: AccountName,
  state: LedgerState,
  /** What happens to the home directory when the account ends, as the policy had it last. */
  home: z.enum(["archive", "keep", "delete"]),
});
export type LedgerEntry = z.infer<typeof LedgerEntry>;

const LedgerFile = z.strictObject({
  v: z.literal(1),
  /** The next uid that nobody ever had; it only grows. */
  next: z.int().min(1),
  entries: z.array(LedgerEntry).max(1_000_000),
});

/**
 * Which member has which uid on this host, for ever: a uid that was given is never given to anybody else, so that what
 * somebody left behind is never another's. On the disk before the account is made.
 */
export class UidLedger {
  readonly #path: string;
  readonly #range: { from: number; to: number };
  readonly #entries = new Map<string, LedgerEntry>();
  #next: number;

  /** Code `config-invalid` for a damaged file: uids must not be guessed. */
  constructor(path: string, range: { from: number; to: number }) {
    this.#path = path;
    this.#range = range;
    const file = existsSync(path) ? parse(path) : { next: range.from, entries: [] };
    for (const entry of file.entries) this.#entries.set(entry.memberId, entry);
    this.#next = Math.max(file.next, range.from, ...file.entries.map(({ uid }) => uid + 1));
  }

  get entries(): LedgerEntry[] {
    return [...this.#entries.values()];
  }

  of(memberId: string): LedgerEntry | undefined {
    return this.#entries.get(memberId);
  }

  /** Whose account this is now. */
  holder(account: string): LedgerEntry | undefined {
    return this.entries.find((entry) => entry.account === account && entry.state !== "gone");
  }

  /**
   * The member's entry: the one there is, with the same uid as ever, or a new one. `isTaken` tells of uids that the host
   * uses otherwise. Code `conflict` when the range is used up.
   */
  async take(
    wanted: Omit<LedgerEntry, "uid" | "state">,
    isTaken: (uid: number) => Promise<boolean>,
  ): Promise<LedgerEntry> {
    const known = this.#entries.get(wanted.memberId);
    let uid = known?.uid;
    while (uid === undefined) {
      if (this.#next > this.#range.to) {
        throw new SallyportError(
          "conflict",
          `All uids from ${this.#range.from} to ${this.#range.to} have been given. Raise personalUids.to in agent.yaml.`,
        );
      }
      const candidate = this.#next++;
      if (!(await isTaken(candidate))) uid = candidate;
    }
    const entry: LedgerEntry = { ...wanted, uid, state: "active" };
    if (JSON.stringify(known) !== JSON.stringify(entry)) this.#store(entry);
    return entry;
  }

  /** Notes how far the end of an account has come. */
  setState(memberId: string, state: LedgerEntry["state"]): void {
    const entry = this.#entries.get(memberId);
    if (entry !== undefined && entry.state !== state) this.#store({ ...entry, state });
  }

  #store(entry: LedgerEntry): void {
    const entries = new Map(this.#entries).set(entry.memberId, entry);
    const file: z.infer<typeof LedgerFile> = { v: 1, next: this.#next, entries: [...entries.values()] };
    writeFileDurably(this.#path, `${JSON.stringify(file)}\n`);
    this.#entries.set(entry.memberId, entry);
  }
}

function parse(path: string): z.infer<typeof LedgerFile> {
  try {
    return LedgerFile.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch (cause) {
    throw new SallyportError(
      "config-invalid",
      `${path} is damaged. It says which uids were given and must not be made anew: restore it from a backup.`,
      { cause },
    );
  }
}
