/**
 * Every code that {@link SallyportError} carries. Codes are stable: scripts and documentation rely on them.
 * Refusals of a login have codes of their own, see `policy/refusal.ts`.
 */
export type ErrorCode =
  // SSH wire formats
  | "ssh-malformed"
  | "ssh-unsupported"
  | "ssh-bad-signature"
  // recordings
  | "recording-malformed"
  | "recording-broken-chain"
  | "recording-bad-signature"
  | "recording-incomplete"
  | "recording-deleted"
  // the audit log
  | "log-malformed"
  | "log-bad-signature"
  | "log-inconsistent"
  // messages between our own parts
  | "message-malformed"
  | "message-too-large"
  | "message-version"
  // signed documents
  | "bundle-bad-signature"
  | "bundle-wrong-host"
  | "bundle-older"
  | "trust-mismatch"
  | "join-token-malformed"
  // configuration
  | "config-invalid"
  | "config-missing"
  // what the control plane answers
  | "unauthenticated"
  | "forbidden"
  | "not-found"
  | "conflict"
  | "rate-limited"
  | "challenge-unknown"
  | "proof-invalid"
  | "token-invalid"
  | "binding-invalid"
  | "issuer-unknown"
  | "issuer-unreachable"
  | "not-invited"
  | "no-longer-vouched"
  | "delivery-failed"
  | "not-ready"
  | "key-unavailable"
  | "internal"
  // what the client runs into
  | "server-unreachable"
  | "sign-in-failed"
  | "sign-in-abandoned"
  | "not-signed-in"
  | "clock-skew"
  | "host-unknown"
  | "usage";

/**
 * The one error class for what comes from outside: hostile input, a peer that is away, a file that is wrong.
 * A mistake of the calling code is a `TypeError` instead. `message` is a full sentence fit for a log; it never
 * holds a secret.
 */
export class SallyportError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "SallyportError";
    this.code = code;
  }
}

/** True when `error` is a {@link SallyportError}, and has that code if one is given. */
export function isSallyportError(error: unknown, code?: ErrorCode): error is SallyportError {
  return error instanceof SallyportError && (code === undefined || error.code === code);
}
