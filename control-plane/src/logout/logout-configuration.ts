import { z } from "zod";
import { isSafeUrl } from "../config/loopback.ts";

/** `issuers[].backChannelLogout`: whose logout tokens are taken besides those for `clientId`. */
export const BackChannelLogoutConfiguration = z
  .strictObject({
    clientIds: z
      .array(z.string().min(1).max(255))
      .max(20)
      .default([])
      .describe(
        "More clients of this IdP whose logout tokens count here. Danger: signing out of such an application then ends its " +
          "user's SSH sessions too.",
      ),
  })
  .prefault({})
  .describe("OpenID Connect Back-Channel Logout, at `/backchannel-logout`.");

/** `issuers[].globalTokenRevocation`: which requests of this IdP are taken; none without it. */
export const GlobalTokenRevocationConfiguration = z
  .strictObject({
    issuer: z
      .string()
      .min(1)
      .max(500)
      .optional()
      .describe(
        "`iss` of the requests' tokens, where it is not the issuer's own: Okta signs as the org, also for people of a custom " +
          "authorization server. Needs `jwksUri`.",
      ),
    jwksUri: z
      .url({ protocol: /^https?$/ })
      .max(2000)
      .refine(isSafeUrl, "plain HTTP is for this machine only: use https")
      .optional()
      .describe("Where the keys of these tokens are; default: the keys that sign ID tokens."),
    audience: z
      .string()
      .min(1)
      .max(2000)
      .optional()
      .describe("`aud` of these tokens; default: `url` with `/global-token-revocation` behind it."),
    subject: z
      .string()
      .min(1)
      .max(255)
      .optional()
      .describe("`sub` that these tokens must have: with Okta the application. Default: any."),
  })
  .refine(({ issuer, jwksUri }) => issuer === undefined || jwksUri !== undefined, {
    path: ["jwksUri"],
    message: "an issuer of its own has keys of its own: name where they are",
  })
  .optional()
  .describe("Okta's Universal Logout, at `/global-token-revocation`: off without it.");
export type GlobalTokenRevocationConfiguration = z.output<typeof GlobalTokenRevocationConfiguration>;
