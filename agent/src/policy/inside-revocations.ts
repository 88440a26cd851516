import { existsSync, readFileSync, rmSync } from "node:fs";
import { SallyportError } from "@sallyport/core/errors.ts";
import type { Bundle } from "@sallyport/core/policy/bundle.ts";
import {
  Revocation,
  RevocationIndex,
  type RevocationLookup,
  type RevocationSubject,
} from "@sallyport/core/policy/revocation.ts";
import { writeFileDurably } from "@sallyport/uplink/spool/durable.ts";
import { z } from "zod";

/**
 * The list of a control plane that keeps none apart: what its bundle has inside, and what was pushed one by one and is in no bundle
 * yet. The latter has a file.
 */
export class InsideRevocations implements RevocationLookup {
  readonly #path: string;
  #index = new RevocationIndex();
  readonly #pushed = new Map<string, Revocation>();

  constructor(path: string) {
    this.#path = path;
  }

  /** The highest number seen. */
  get sequence(): number {
    return this.#index.sequence;
  }

  get size(): number {
    return this.#index.size;
  }

  /** Numbers of the entries that no bundle has yet. */
  get pushed(): number[] {
    return [...this.#pushed.values()].map(({ sequence }) => sequence);
  }

  find(subject: RevocationSubject): Revocation | undefined {
    return this.#index.find(subject);
  }

  /** The entries that count: one for each target. */
  entries(): Revocation[] {
    return [...this.#index.entries()];
  }

  /** Reads what was pushed. Code `message-malformed`: then nobody knows whom it meant. */
  load(): void {
    if (!existsSync(this.#path)) return;
    try {
      for (const entry of z.array(Revocation).parse(JSON.parse(readFileSync(this.#path, "utf8"))))
        this.#remember(entry);
    } catch (cause) {
      throw new SallyportError("message-malformed", "The stored revocations cannot be read.", { cause });
    }
  }

  /** Takes an entry that was pushed: in force at once, and on the disk when this returns. Throws where it cannot be stored. */
  push(entry: Revocation): void {
    this.#remember(entry);
    writeFileDurably(this.#path, JSON.stringify([...this.#pushed.values()]));
  }

  /** A bundle may have been made before a push reached us: what it does not know yet stays in force. */
  apply({ revocations, revocationSequence }: Pick<Bundle, "revocations" | "revocationSequence">): void {
    for (const [id, entry] of this.#pushed) if (entry.sequence <= revocationSequence) this.#pushed.delete(id);
    this.#index = new RevocationIndex(revocations);
    for (const entry of this.#pushed.values()) this.#index.narrow(entry);
  }

  /** All of it is kept elsewhere now. */
  clear(): void {
    this.#index = new RevocationIndex();
    this.#pushed.clear();
  }

  /** Removes the file of what was pushed: the bundle on the disk says how far the list goes. */
  removeFile(): void {
    rmSync(this.#path, { force: true });
  }

  #remember(entry: Revocation): void {
    this.#pushed.set(entry.id, entry);
    this.#index.narrow(entry);
  }
}
