const MAX_ANSWER = 128 * 1024;

/** An answer of an IdP, read to its end. `json` is undefined where it is none. */
export interface BoundedAnswer {
  status: number;
  json: unknown;
  /** Seconds of `retry-after`, where it names them. */
  retryAfter: number | undefined;
}

/** What is posted: form fields (RFC 6749 appendix B), and a client's name and secret for HTTP Basic. */
export interface PostedForm {
  fields: Readonly<Record<string, string>>;
  basic?: { clientId: string; clientSecret: string } | undefined;
}

/**
 * Asks an IdP once: no redirects, at most 128 KiB, `timeout` in milliseconds for all of it. Rejects where no whole answer came; the
 * error never holds what was sent.
 */
export async function fetchBounded(url: string, timeout: number, form?: PostedForm): Promise<BoundedAnswer> {
  const response = await fetch(url, {
    ...(form && { method: "POST", body: new URLSearchParams(form.fields) }),
    headers: { accept: "application/json", ...(form?.basic && { authorization: basic(form.basic) }) },
    redirect: "error",
    signal: AbortSignal.timeout(timeout),
  });
  const text = await limitedText(response);
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  return { status: response.status, json: parse(text), retryAfter: seconds >= 0 ? seconds : undefined };
}

/** RFC 6749 §2.3.1: both are form-encoded first. */
function basic({ clientId, clientSecret }: { clientId: string; clientSecret: string }): string {
  const encode = (text: string) => new URLSearchParams({ "": text }).toString().slice(1);
  return `Basic ${Buffer.from(`${encode(clientId)}:${encode(clientSecret)}`).toString("base64")}`;
}

async function limitedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > MAX_ANSWER) throw new Error(`an answer of more than ${MAX_ANSWER} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
