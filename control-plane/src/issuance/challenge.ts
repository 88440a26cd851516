import { SallyportError } from "@sallyport/core/errors.ts";
import { addChallenge, hasChallenge, takeChallenge } from "../database/one-time-values.ts";
import type { Database } from "../database/tables.ts";
import { type Environment, randomToken, seconds } from "../environment.ts";

const LIFETIME = 600;

interface Needs {
  db: Database;
  environment: Pick<Environment, "clock" | "random">;
}

/** Makes a challenge for a proof of possession: good once, for 10 minutes. */
export async function makeChallenge({ db, environment }: Needs): Promise<string> {
  const challenge = randomToken(environment.random, 32);
  const now = seconds(environment.clock);
  await addChallenge(db, challenge, now + LIFETIME, now);
  return challenge;
}

/** Refuses a challenge that {@link consumeChallenge} would refuse now; it stays good. Code `challenge-unknown`. */
export async function requireChallenge({ db, environment }: Needs, challenge: string): Promise<void> {
  if (!(await hasChallenge(db, challenge, seconds(environment.clock)))) throw unknownChallenge();
}

/** Takes a challenge out of use. Code `challenge-unknown` when we never made it, it was used, or its time is over. */
export async function consumeChallenge({ db, environment }: Needs, challenge: string): Promise<void> {
  if (await takeChallenge(db, challenge, seconds(environment.clock))) return;
  throw unknownChallenge();
}

function unknownChallenge(): SallyportError {
  return new SallyportError(
    "challenge-unknown",
    "The challenge of this sign-in was used already or is older than 10 minutes. Sign in again.",
  );
}
