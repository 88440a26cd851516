/** Why a host link is closed; RFC 6455 §7.4.2 leaves 4000–4999 to applications. */
export const CloseCode = {
  goingAway: 1001,
  internalError: 1011,
  malformed: 4400,
  unauthenticated: 4401,
  unknownHost: 4403,
  replaced: 4409,
} as const;
