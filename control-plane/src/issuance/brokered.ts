import { SallyportError } from "@sallyport/core/errors.ts";
import type { Engagement } from "@sallyport/core/policy/engagement.ts";
import { engagementState } from "../policy/host-selection.ts";
import type { Person } from "./recognise.ts";

/** Oldest ID token, in seconds, that is taken although it commits to no key: somebody signs in at this moment. */
export const BROKERED_TOKEN_AGE = 600;

/**
 * The engagements that a sign-in without key binding is good for: those that run and accept it. Codes `token-invalid`
 * (`nonce-mismatch`) when there are none, and `forbidden` for staff, whose roles hang on the sign-in alone. `now` in seconds.
 */
export function brokeredEngagements(
  person: Person,
  engagements: readonly Engagement[],
  now: number,
): readonly Engagement[] {
  if (person.staff !== undefined) {
    throw new SallyportError(
      "forbidden",
      "A device sign-in is not enough for the security team. Sign in with a browser: sallyport login",
    );
  }
  const accepting = engagements.filter(
    (one) => one.assurance === "brokered" && engagementState(one, now) === "running",
  );
  if (accepting.length > 0) return accepting;
  throw new SallyportError(
    "token-invalid",
    "nonce-mismatch: The ID token commits to no SSH key, as after a device sign-in, and none of your engagements that run " +
      "accepts that. Sign in with a browser: sallyport login",
  );
}
