import { z } from "zod";
import { isSafeUrl } from "../config/loopback.ts";

const SafeUrl = z
  .url({ protocol: /^https?$/ })
  .max(2000)
  .refine(isSafeUrl, "plain HTTP is for this machine only: use https");

const SecretFile = z.string().startsWith("/", "must be an absolute path");

/** Signature algorithms of SETs; never `none` nor one with a shared secret. */
const SetAlgorithm = z.enum([
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
]);

/** `issuers[].securityEvents`: what an IdP's Security Event Tokens look like, and how they come. */
export const SecurityEventsConfiguration = z
  .strictObject({
    issuer: SafeUrl.optional().describe(
      "`iss` of its Security Event Tokens, exactly; default: the issuer of its ID tokens. At Okta the org's address.",
    ),
    audience: z
      .array(z.string().min(1).max(500))
      .min(1)
      .max(10)
      .optional()
      .describe("`aud` that means this control plane; default: its URL. Never the command line's client id."),
    jwksUri: SafeUrl.optional().describe(
      "Where its keys are; default: what its SSF configuration says, else its OpenID discovery.",
    ),
    algorithms: z
      .array(SetAlgorithm)
      .min(1)
      .default(["RS256", "ES256"])
      .describe("Signature algorithms accepted. List only what the IdP really uses."),
    maxAge: z
      .int()
      .min(3600)
      .max(2_592_000)
      .default(604_800)
      .describe(
        "Oldest token accepted, in seconds since `iat`. For so long each is remembered, so that it counts once. Short: what an " +
          "IdP could not deliver for a while is lost.",
      ),
    push: z
      .strictObject({
        tokenFile: SecretFile.nullable()
          .default(null)
          .describe(
            "File with the whole `Authorization` header that the IdP sends, as in `Bearer …`; null: none is asked for, and the " +
              "signature alone counts.",
          ),
      })
      .optional()
      .describe("Takes tokens at `/security-events` (RFC 8935). Default: yes, unless they are polled."),
    poll: z
      .strictObject({
        url: SafeUrl.optional().describe("Where to poll (RFC 8936); default: what the managed stream says."),
        tokenFile: SecretFile.nullable()
          .default(null)
          .describe("File with the bearer token for that; null: that of `stream`, if there is one."),
        pause: z
          .int()
          .min(1)
          .max(60)
          .default(5)
          .describe("Seconds between two polls where the IdP answers at once that there is nothing."),
      })
      .optional()
      .describe("Fetches tokens from the IdP (RFC 8936). One replica does so."),
    stream: z
      .strictObject({
        manage: z
          .boolean()
          .default(true)
          .describe("Makes the stream at the IdP, keeps it as it should be, and has it verified every hour."),
        tokenFile: SecretFile.describe("File with the bearer token for the IdP's stream management."),
      })
      .optional()
      .describe("The stream at the IdP (OpenID Shared Signals Framework 1.0)."),
  })
  .refine((one) => one.poll === undefined || one.poll.url !== undefined || one.stream?.manage === true, {
    path: ["poll", "url"],
    message: "is missing, and no managed stream tells it",
  })
  .refine((one) => one.push === undefined || one.poll === undefined || one.stream?.manage !== true, {
    path: ["push"],
    message: "a managed stream delivers by push or by poll: leave one of them out",
  })
  .describe("Security Event Tokens of this IdP (RFC 8417): what CAEP and RISC tell of.");
export type SecurityEventsConfiguration = z.output<typeof SecurityEventsConfiguration>;
