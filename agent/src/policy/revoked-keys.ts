import { existsSync, readFileSync } from "node:fs";
import type { Revocation } from "@sallyport/core/policy/revocation.ts";
import { writeKrl } from "@sallyport/core/ssh/krl.ts";
import { parsePublicKeyLine } from "@sallyport/core/ssh/public-key.ts";
import { writeFileDurably } from "@sallyport/uplink/spool/durable.ts";
import type { RevocationList } from "./revocation-list.ts";

/** A change waits this long for others, in milliseconds; one that could not be written is tried again after the longer time. */
const SOON_MS = 200;
const AGAIN_MS = 30_000;
/** No certificate is valid for longer than a day, in seconds; the rest is for clocks. sshd reads the whole file at each login. */
const CERTIFICATES_LAST = 7 * 86_400;
/**
 * For so long, in seconds, the agent alone refuses what was revoked: it says why, which sshd by itself does not. While it does not run
 * sshd gets no answer and lets nobody in; when it is stopped the file has everything.
 */
const AGENT_SAYS_WHY = 600;
/** Entries that are read at once, in about ten milliseconds. */
const STEP = 1000;
const FINGERPRINT = /^SHA256:[A-Za-z0-9+/]{43}$/;
const SERIAL = /^[1-9]\d{0,19}$/;
const MAX_SERIAL = 2n ** 64n;

export interface RevokedKeysNeeds {
  /** The file that `RevokedKeys` in sshd's drop-in names. */
  file: string;
  list: Pick<RevocationList, "entriesOf" | "sequence">;
  /** Lines of the user CA keys that sshd trusts. */
  userCaKeys(): readonly string[];
  /** Seconds since the epoch. */
  now(): number;
  onError(message: string): void;
}

/**
 * Keeps the revoked keys and certificates where sshd itself looks them up, so that they open nothing whatever has become of the agent.
 * Only whole keys and certificates: what holds for sign-ins up to a moment sshd could not tell.
 */
export class RevokedKeys {
  readonly #needs: RevokedKeysNeeds;
  #written: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isWriting = false;
  #isStopped = false;
  #at = 0;

  constructor(needs: RevokedKeysNeeds) {
    this.#needs = needs;
  }

  /** Writes the file if it is not as it should be, with entries of up to that moment. Throws where it cannot be written. */
  write(upTo?: number): void {
    for (const _ of this.#steps(upTo));
  }

  *#steps(upTo = this.#needs.now() - AGENT_SAYS_WHY): Generator<void> {
    const { file, list, now, userCaKeys } = this.#needs;
    let waiting = 0;
    const isDue = ({ at }: Revocation): boolean => {
      if (at > upTo) waiting++;
      return at <= upTo;
    };
    const caKeys = userCaKeys().map((line) => parsePublicKeyLine(line).blob);
    const since = now() - CERTIFICATES_LAST;
    const serials = new Set<bigint>();
    let read = 0;
    for (const entry of list.entriesOf("certificate", since)) {
      if (isSerial(entry) && isDue(entry)) serials.add(BigInt(entry.target));
      if (++read % STEP === 0) yield;
    }
    const fingerprints = new Set<string>();
    // A key may be certified again where somebody who was revoked may sign in again.
    for (const entry of list.entriesOf("key", 0)) {
      if (entry.before === null && FINGERPRINT.test(entry.target) && isDue(entry))
        fingerprints.add(entry.target);
      if (++read % STEP === 0) yield;
    }
    if (waiting > 0) this.writeSoon(AGENT_SAYS_WHY * 1000);
    const content = { caKeys, serials: [...serials], fingerprints: [...fingerprints] };
    const essence = Buffer.from(writeKrl({ ...content, version: 0, generatedAt: 0 })).toString("base64");
    if (essence === this.#written && existsSync(file)) return;
    if (this.#written === undefined && essence === essenceOf(file)) {
      this.#written = essence;
      return;
    }
    writeFileDurably(file, writeKrl({ ...content, version: list.sequence, generatedAt: now() }), 0o644);
    this.#written = essence;
  }

  /** Writes it a moment later, with what else changes until then. */
  writeSoon(delay = SOON_MS): void {
    const at = performance.now() + delay;
    if (this.#timer !== undefined && this.#at <= at) return;
    clearTimeout(this.#timer);
    this.#at = at;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#writeInSteps();
    }, delay).unref();
  }

  /** Writes it now; a failure is told, and it is tried again later. */
  start(): void {
    this.#tryToWrite();
  }

  /** From now on sshd is alone: everything is written. */
  stop(): void {
    this.#isStopped = true;
    this.#tryToWrite(Number.POSITIVE_INFINITY);
    clearTimeout(this.#timer);
  }

  /** Logins that ask meanwhile are answered in between. */
  async #writeInSteps(): Promise<void> {
    if (this.#isWriting) return this.writeSoon();
    this.#isWriting = true;
    try {
      for (const _ of this.#steps()) {
        await new Promise(setImmediate);
        if (this.#isStopped) return;
      }
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#isWriting = false;
    }
  }

  #tryToWrite(upTo?: number): void {
    try {
      this.write(upTo);
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    this.#needs.onError(String(error));
    this.writeSoon(AGAIN_MS);
  }
}

function isSerial({ target }: Pick<Revocation, "target">): boolean {
  return SERIAL.test(target) && BigInt(target) < MAX_SERIAL;
}

/** The file's own list, without its version and time. */
function essenceOf(file: string): string | undefined {
  try {
    const bytes = readFileSync(file);
    return bytes.fill(0, 12, 28).toString("base64");
  } catch {
    return undefined;
  }
}
