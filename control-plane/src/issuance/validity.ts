import type { Engagement } from "@sallyport/core/policy/engagement.ts";
import { engagementState } from "../policy/host-selection.ts";

/** Certificates begin a little in the past, for hosts whose clock is behind. */
const BACKDATED = 60;
/** Life of a certificate that opens nothing: the host tells its holder why. */
const WITHOUT_ENGAGEMENT = 300;

/**
 * From when until when a certificate is good: `lifetime` at most, and that of the running engagement that allows least; never
 * past the ID token (of a renewed one, the fresh one) nor past the last running engagement. Seconds since the epoch.
 */
export function certificateValidity(input: {
  now: number;
  lifetime: number;
  tokenExpiresAt: number;
  engagements: readonly Engagement[];
}): { validAfter: number; validBefore: number } {
  const { now, lifetime, tokenExpiresAt, engagements } = input;
  const running = engagements.filter((engagement) => engagementState(engagement, now) === "running");
  const latest = running.length === 0 ? now + WITHOUT_ENGAGEMENT : Math.max(...running.map(({ end }) => end));
  const lifetimes = running.flatMap(({ certificateLifetime }) => certificateLifetime ?? []);
  const longest = Math.min(lifetime, ...lifetimes);
  return {
    validAfter: now - BACKDATED,
    validBefore: Math.floor(Math.min(now + longest, tokenExpiresAt, latest)),
  };
}
