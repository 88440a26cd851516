/** Error codes of RFC 8935 §2.4, which RFC 8936 shares, and the one of SSF 1.0 §8.1.4.1. */
export type SetErrorCode =
  | "invalid_request"
  | "invalid_key"
  | "invalid_issuer"
  | "invalid_audience"
  | "authentication_failed"
  | "access_denied"
  | "invalid_state";

/**
 * Why a Security Event Token is refused for good. `message` is told to who sent it: a sentence, without anything that came. What
 * may pass later is no SetError.
 */
export class SetError extends Error {
  readonly code: SetErrorCode;
  /** True where the IdP's signature was verified: what follows was its own doing. */
  readonly isSigned: boolean;

  constructor(code: SetErrorCode, message: string, options: { cause?: unknown; isSigned?: boolean } = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause });
    this.name = "SetError";
    this.code = code;
    this.isSigned = options.isSigned ?? false;
  }
}
