import { randomFrom } from "./statistics.ts";

const LEVELS = [
  "\u001b[32mINFO\u001b[0m ",
  "\u001b[32mINFO\u001b[0m ",
  "\u001b[36mDEBUG\u001b[0m",
  "\u001b[33mWARN\u001b[0m ",
  "\u001b[1;31mERROR\u001b[0m",
];
const SERVICES = ["api", "billing", "gateway", "orders", "search", "worker"];
const PATHS = ["/v1/orders", "/v1/orders/lines", "/v1/invoices", "/healthz", "/v2/search?q=bolt", "/login"];
const REMARKS = [
  "request served",
  "cache miss, asking the database",
  "retrying after a time-out of the upstream",
  "rows locked by another transaction",
  "token refreshed",
];

/** Exactly `size` bytes of what a service's log looks like: time stamps, coloured levels, numbers that do not repeat. */
export function logText(size: number): Buffer {
  const random = randomFrom(7300);
  const below = (limit: number) => Math.floor(random() * limit);
  const oneOf = (choices: readonly string[]) => choices[below(choices.length)] ?? "";
  const parts: string[] = [];
  let clock = Date.UTC(2026, 10, 1);
  for (let length = 0; length < size; ) {
    clock += below(40);
    const id = below(2 ** 32)
      .toString(16)
      .padStart(8, "0");
    const head = `${new Date(clock).toISOString()} ${oneOf(LEVELS)} ${oneOf(SERVICES)}[${1000 + below(64)}]`;
    const line = `${head} ${id} ${oneOf(REMARKS)} path=${oneOf(PATHS)} status=${200 + below(4) * 100} ms=${below(2000)}\n`;
    parts.push(line);
    length += line.length;
  }
  const text = Buffer.from(parts.join("")).subarray(0, size);
  text[size - 1] = 0x0a;
  return text;
}
