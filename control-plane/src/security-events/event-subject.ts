import type { SetClaims } from "./decode-set.ts";
import { SetError } from "./set-error.ts";
import { type Principal, readSubject } from "./subject-identifier.ts";
import type { Transmitter } from "./transmitter.ts";

/**
 * Whom an event is about: `sub_id` of the token (SSF 1.0), `subject` in the event (before that), or the token's `sub`
 * (RFC 8417). Where it is named more than once it must be the same. Codes `invalid_request`, `access_denied`.
 */
export function eventSubject(
  { sub_id, sub }: SetClaims,
  event: Record<string, unknown>,
  transmitter: Transmitter,
): Principal[] {
  const written = [sub_id, event.subject].filter((one) => one !== undefined);
  const named = written.map((one) => readSubject(one, transmitter));
  if (sub !== undefined) named.push([{ kind: "subject", subject: sub }]);
  const [first, ...others] = named;
  if (first === undefined) throw refused("The token does not say whom its event is about.");
  if (others.some((other) => !isSame(first, other)))
    throw refused("The token names its subject more than once, and not the same.");
  return first;
}

function isSame(one: readonly Principal[], other: readonly Principal[]): boolean {
  const key = (principals: readonly Principal[]) =>
    JSON.stringify(principals.filter(({ kind }) => kind !== "session").toSorted(byText));
  return key(one) === key(other);
}

function byText(one: Principal, other: Principal): number {
  return JSON.stringify(one) < JSON.stringify(other) ? -1 : 1;
}

function refused(message: string): SetError {
  return new SetError("invalid_request", message, { isSigned: true });
}
