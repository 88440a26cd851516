/**
 * Why a login was refused: one code per check, in the order in which the checks run. Codes up to
 * `renewal-mismatch` mean that identity was not proven; the contractor is told nothing then.
 */
export type RefusalCode =
  | "certificate-malformed"
  | "certificate-type"
  | "certificate-options"
  | "certificate-principals"
  | "certificate-authority"
  | "certificate-validity"
  | "token-missing"
  | "token-malformed"
  | "token-issuer"
  | "token-algorithm"
  | "token-key-unknown"
  | "token-signature"
  | "token-audience"
  | "token-tenant"
  | "token-expired"
  | "token-not-yet-valid"
  | "token-too-old"
  | "sign-in-too-old"
  | "binding-missing"
  | "binding-malformed"
  | "nonce-mismatch"
  | "binding-key-mismatch"
  | "renewal-mismatch"
  | ToldRefusalCode;

/** Refusals of somebody whose identity is proven: the contractor is told why, and whom to ask. */
export type ToldRefusalCode =
  | "policy-missing"
  | "clock-set-back"
  | "not-a-member"
  | "assurance-too-low"
  | "mfa-required"
  | "mfa-too-old"
  | "engagement-ended"
  | "engagement-not-started"
  | "outside-hours"
  | "source-address"
  | "host-not-granted"
  | "account-not-granted"
  | "approval-missing"
  | "local-policy"
  | "mode-not-allowed"
  | "revoked"
  | "idp-silent"
  | "lease-expired"
  | "recorder-unavailable"
  | "spool-full"
  | "account-unsafe"
  | "too-many-sessions";

/** A refused login. `detail` is for the agent's log; `told`, if any, is the text for the contractor. */
export interface Refusal {
  code: RefusalCode;
  detail: string;
  told: string | null;
}

/** Thrown inside the checks of identity; turned into a {@link Refusal} where they are called. */
export class RefusedError extends Error {
  readonly refusal: Refusal;

  constructor(code: RefusalCode, detail: string, options?: { told?: string; cause?: unknown }) {
    super(`${code}: ${detail}`, { cause: options?.cause });
    this.name = "RefusedError";
    this.refusal = { code, detail, told: options?.told ?? null };
  }
}

/** What `check` refuses with, or undefined when it holds. Any other error is passed on. */
export function refusalOf(check: () => void): RefusedError | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    if (error instanceof RefusedError) return error;
    throw error;
  }
}
