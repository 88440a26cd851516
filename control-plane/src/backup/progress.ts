import { performance } from "node:perf_hooks";
import type { CommandContext } from "../commands/command.ts";

const EVERY_MS = 200;
const CLEAR_LINE = "\r\u001b[K";

/** How far something long is, on one line of a terminal; nothing where there is none. */
export class Progress {
  readonly #output: CommandContext["stderr"];
  readonly #label: string;
  readonly #total: number;
  #done = 0;
  #shown = 0;

  /** `total` in bytes. */
  constructor(output: CommandContext["stderr"], label: string, total: number) {
    this.#output = output;
    this.#label = label;
    this.#total = total;
  }

  /** So many bytes more are done. */
  readonly add = (bytes: number): void => {
    this.#done += bytes;
    const now = performance.now();
    if (this.#output.isTTY !== true || now - this.#shown < EVERY_MS) return;
    this.#shown = now;
    const percent = this.#total === 0 ? 100 : Math.floor((this.#done / this.#total) * 100);
    this.#output.write(`${CLEAR_LINE}${this.#label} ${percent} % of ${formatBytes(this.#total)}`);
  };

  /** Takes the line away. */
  end(): void {
    if (this.#output.isTTY === true && this.#shown > 0) this.#output.write(CLEAR_LINE);
  }
}

/** Bytes for people: `1.2 GB`. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KB", "MB", "GB", "TB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(bytes, 1)) / 3));
  const value = bytes / 1000 ** power;
  return `${power === 0 ? value : value.toFixed(1)} ${units[power]}`;
}
