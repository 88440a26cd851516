const TIMEOUT_MS = 5_000;
const MAX_BODY = 512 * 1024;

/** What came of asking a server. */
export interface HttpAnswer {
  /** Null: it could not be reached; `reason` says why. */
  status: number | null;
  reason: string;
  body: string;
  /** How many seconds the server's clock is ahead of ours, from its Date header, to about a second; null without one. */
  ahead: number | null;
}

/** GET of a URL, with a short timeout; never throws. `now` in seconds since the epoch. */
export async function askHttp(url: string, now: () => number, timeoutMs = TIMEOUT_MS): Promise<HttpAnswer> {
  try {
    const asked = now();
    const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs), redirect: "manual" });
    const date = Date.parse(response.headers.get("date") ?? "");
    // The header has whole seconds, cut off: half a second later is the best guess.
    const ahead = Number.isNaN(date) ? null : date / 1000 + 0.5 - (asked + now()) / 2;
    const body = (await response.text()).slice(0, MAX_BODY);
    return { status: response.status, reason: `it answers ${response.status}`, body, ahead };
  } catch (error) {
    return { status: null, reason: reasonOf(error), body: "", ahead: null };
  }
}

/** `fetch failed` says nothing; its cause does. */
function reasonOf(error: unknown): string {
  const { cause, message, name } = error as Error & { cause?: Error };
  if (name === "TimeoutError") return "no answer in time";
  return (cause?.message || message || String(error)).slice(0, 200);
}
