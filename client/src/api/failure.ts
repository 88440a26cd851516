import { type ErrorCode, SallyportError } from "@sallyport/core/errors.ts";
import { ApiError } from "@sallyport/core/messages/client-api.ts";
import { printable } from "@sallyport/core/terminal-text.ts";

/** Codes that a control plane may answer with; any other one means nothing to us. */
const ANSWERED: ReadonlySet<string> = new Set<ErrorCode>([
  "message-malformed",
  "message-too-large",
  "message-version",
  "config-invalid",
  "unauthenticated",
  "forbidden",
  "not-found",
  "conflict",
  "recording-deleted",
  "rate-limited",
  "challenge-unknown",
  "proof-invalid",
  "token-invalid",
  "binding-invalid",
  "issuer-unknown",
  "issuer-unreachable",
  "not-invited",
  "no-longer-vouched",
  "internal",
]);

const BY_STATUS: Record<number, ErrorCode> = {
  401: "unauthenticated",
  403: "forbidden",
  404: "not-found",
  409: "conflict",
  413: "message-too-large",
  429: "rate-limited",
};

/** The error that an HTTP answer other than 2xx stands for: the server's own sentence where it sent one. */
export function failureOf(status: number, body: string, origin: string): SallyportError {
  const fallback = BY_STATUS[status] ?? "internal";
  const parsed = ApiError.safeParse(parseJson(body));
  if (!parsed.success) {
    return new SallyportError(
      fallback,
      `The control plane ${origin} answered with HTTP status ${status}; try again later.`,
    );
  }
  const { code, message } = parsed.data.error;
  const lines = message.split("\n").map((line) => printable(line, 2000));
  return new SallyportError(
    isAnswered(code) ? code : fallback,
    code === "config-invalid" ? lines.join("\n") : printable(message, 2000),
  );
}

function isAnswered(code: string): code is ErrorCode {
  return ANSWERED.has(code);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The error for a control plane that did not answer, with what is known of why. */
export function unreachable(origin: string, cause: unknown): SallyportError {
  const why = reasonOf(cause);
  return new SallyportError(
    "server-unreachable",
    `The control plane ${origin} cannot be reached${why === "" ? "" : ` (${why})`}; check the address and your network, then try again.`,
    { cause },
  );
}

/** A short technical reason, such as ECONNREFUSED; empty when there is none worth showing. */
export function reasonOf(error: unknown): string {
  for (let each = error, depth = 0; each instanceof Error && depth < 8; each = each.cause, depth++) {
    if (each.name === "TimeoutError") return "no answer in time";
    const code = (each as NodeJS.ErrnoException).code;
    if (typeof code === "string" && /^[A-Z][A-Z_0-9]+$/.test(code)) return code;
  }
  return "";
}
