import { type ErrorCode, isSallyportError } from "@sallyport/core/errors.ts";

/** What the exit status of `sallyport` means. `sallyport ssh` passes on ssh's own where it got as far as ssh. */
export const ExitCode = {
  ok: 0,
  general: 1,
  usage: 2,
  notSignedIn: 3,
  unreachable: 4,
  signInFailed: 5,
  refused: 6,
  verificationFailed: 7,
  differs: 8,
  notEverywhere: 9,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** The table of exit codes as `sallyport --help` shows it. */
export const EXIT_CODE_HELP = `Exit codes:
  0  done
  1  something else went wrong
  2  the command line is wrong, or a file that it names
  3  not signed in, or the sign-in has expired
  4  the control plane or the identity provider cannot be reached
  5  the sign-in failed
  6  refused: you may not do this; "policy test": it would be refused
  7  a recording or the audit log does not verify
  8  "diff": applying the file would change something; "policy lint": look at it
  9  "revoke --wait": not every host has it yet
  "sallyport ssh" ends with ssh's own exit status.`;

const BY_CODE: Partial<Record<ErrorCode, ExitCode>> = {
  usage: ExitCode.usage,
  "config-invalid": ExitCode.usage,
  "not-signed-in": ExitCode.notSignedIn,
  unauthenticated: ExitCode.notSignedIn,
  "server-unreachable": ExitCode.unreachable,
  "issuer-unreachable": ExitCode.unreachable,
  "sign-in-failed": ExitCode.signInFailed,
  "sign-in-abandoned": ExitCode.signInFailed,
  "clock-skew": ExitCode.signInFailed,
  "challenge-unknown": ExitCode.signInFailed,
  "proof-invalid": ExitCode.signInFailed,
  "token-invalid": ExitCode.signInFailed,
  "binding-invalid": ExitCode.signInFailed,
  "issuer-unknown": ExitCode.signInFailed,
  forbidden: ExitCode.refused,
  "not-invited": ExitCode.refused,
  "recording-malformed": ExitCode.verificationFailed,
  "recording-broken-chain": ExitCode.verificationFailed,
  "recording-bad-signature": ExitCode.verificationFailed,
  "recording-incomplete": ExitCode.verificationFailed,
  "log-malformed": ExitCode.verificationFailed,
  "log-bad-signature": ExitCode.verificationFailed,
  "log-inconsistent": ExitCode.verificationFailed,
};

/** The exit status for an error that ended a command. */
export function exitCodeFor(error: unknown): ExitCode {
  return (isSallyportError(error) ? BY_CODE[error.code] : undefined) ?? ExitCode.general;
}
