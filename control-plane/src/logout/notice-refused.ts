/** Why the word of an IdP is not taken: which HTTP status and error code its standard has for that, and a sentence for whoever sent it. */
export class NoticeRefused extends Error {
  readonly status: 400 | 401 | 403 | 404 | 415 | 429;
  readonly error: string;
  /** The IdP whose signature was verified, and the token's id: what the audit log may name. Undefined while anybody may have sent it. */
  readonly signedBy: { issuer: string; jti: string } | undefined;

  /** The sentence never holds anything that came. */
  constructor(
    status: NoticeRefused["status"],
    error: string,
    sentence: string,
    options: { cause?: unknown; signedBy?: NoticeRefused["signedBy"] } = {},
  ) {
    super(sentence, options.cause === undefined ? {} : { cause: options.cause });
    this.name = "NoticeRefused";
    this.status = status;
    this.error = error;
    this.signedBy = options.signedBy;
  }
}
