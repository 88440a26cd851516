import { AuthorizationHint } from "@sallyport/core/messages/client-api.ts";
import { IdTokenAlgorithm, TrustedIssuer } from "@sallyport/core/messages/trust.ts";
import { DisplayText, ShortName } from "@sallyport/core/names.ts";
import { MfaLevel } from "@sallyport/core/policy/engagement.ts";
import { z } from "zod";
import { CheckConfiguration } from "../checks/check-configuration.ts";
import { isSafeUrl } from "../config/loopback.ts";
import { DirectoryNoticesConfiguration } from "../directory-notices/directory-configuration.ts";
import {
  BackChannelLogoutConfiguration,
  GlobalTokenRevocationConfiguration,
} from "../logout/logout-configuration.ts";
import { ScimConfiguration } from "../scim/scim-configuration.ts";
import { SecurityEventsConfiguration } from "../security-events/security-events-configuration.ts";
import { entraTenant, isEntra } from "./multi-tenant.ts";
import { PRESET_NAMES, presetDefaults, presetProblem } from "./presets.ts";

const Levels = z.record(z.string().min(1).max(255), MfaLevel);

/** One entry of `issuers` as it is written. Keys without a default here have that of the preset. */
const WrittenIssuer = z.strictObject({
  preset: z
    .enum(PRESET_NAMES)
    .default("generic")
    .describe("Which IdP this is: fills in what is not given below, and refuses what is a trap there."),
  name: DisplayText.min(1).describe("Name that people see when they choose where to sign in."),
  issuer: z
    .url({ protocol: /^https?$/ })
    .refine(
      isSafeUrl,
      "plain HTTP is for this machine only: use https, or http with 127.0.0.1, ::1 or localhost",
    )
    .describe("Issuer identifier, exactly as in the `iss` claim, including or without its last slash."),
  clientId: z
    .string()
    .min(1)
    .max(255)
    .describe(
      "The public client of the command line. Danger: never a web client's; hosts accept tokens with this `aud`.",
    ),
  clientSecret: z
    .string()
    .min(1)
    .max(255)
    .nullable()
    .default(null)
    .describe(
      "Only for IdPs that want a `client_secret` of native clients as well (Google). Danger: it is sent to everybody; never that of " +
        "a web client.",
    ),
  redirectPorts: z
    .array(z.int().min(1024).max(65535))
    .max(10)
    .default([])
    .describe(
      "Ports of http://127.0.0.1:PORT/callback to try in turn, for IdPs that compare the port too; empty: any port.",
    ),
  scope: z
    .string()
    .max(500)
    .optional()
    .describe("Scopes that the command line asks for. Default: by preset."),
  acrValues: z
    .string()
    .max(500)
    .nullable()
    .optional()
    .describe("`acr_values` to ask for, or null for none. Default: by preset."),
  hints: z
    .partialRecord(AuthorizationHint, z.string().max(2000))
    .optional()
    .describe(
      "More parameters of the authorization request. What an IdP makes of them is checked by nobody. Default: by preset.",
    ),
  maxAge: z
    .int()
    .min(60)
    .max(2_592_000)
    .nullable()
    .optional()
    .describe(
      "`max_age` to ask for, in seconds; the command line then insists on an `auth_time`. Null for IdPs that send none. Default: by preset.",
    ),
  algorithms: z
    .array(IdTokenAlgorithm)
    .min(1)
    .optional()
    .describe(
      "Signature algorithms accepted on ID tokens. List only what the IdP really uses. Default: by preset.",
    ),
  maxTokenAge: TrustedIssuer.shape.maxTokenAge
    .default(86_400)
    .describe("Oldest ID token accepted at a login, in seconds since `iat`."),
  renewal: z
    .boolean()
    .default(true)
    .describe(
      "Whether certificates are renewed without the person while the IdP refreshes their tokens: one sign-in a day. The " +
        "command line then asks for `offline_access`, where the IdP lists it.",
    ),
  signInLifetime: z
    .int()
    .min(300)
    .max(86_400)
    .default(43_200)
    .describe(
      "For how many seconds after somebody proved who they are their certificate is renewed. Danger: long, somebody who takes over a " +
        "machine stays so long, unless the IdP says no.",
    ),
  mfa: z
    .strictObject({
      acr: Levels.optional().describe("Values of `acr`, and what each proves; default: by preset."),
      amr: Levels.optional().describe(
        "Values that `amr` may contain, and what each proves; default: by preset.",
      ),
      acrs: Levels.optional().describe(
        "Authentication contexts of Entra ID, and what each proves; default: by preset. The command line asks for them.",
      ),
      assume: MfaLevel.default("none").describe(
        "What every sign-in counts as at least. Danger: another than none only where the IdP lets nobody in without it.",
      ),
    })
    .prefault({})
    .describe(
      "What values of `acr`, `amr` and `acrs` prove: none, mfa or phishing-resistant. Unlisted values prove nothing.",
    ),
  subjectClaim: z
    .enum(["sub", "oid"])
    .optional()
    .describe(
      "The claim that names the person. Danger: changing it makes strangers of all who are pinned. Default: by preset.",
    ),
  requiredClaims: TrustedIssuer.shape.requiredClaims.describe(
    "Claims that a token must have, with one of these values: `tid`, `hd`. Hosts check it too.",
  ),
  emailClaim: z
    .string()
    .min(1)
    .max(64)
    .default("email")
    .describe("The claim that invitations are matched with. Another than `email` needs `trustEmail: true`."),
  emailVerifiedClaim: z
    .enum(["email_verified", "xms_edov"])
    .optional()
    .describe("The claim that must be true for an e-mail to match an invitation. Default: by preset."),
  trustEmail: z
    .boolean()
    .default(false)
    .describe(
      "Match invitations with the e-mail although no claim says that it is verified. Danger: right only where nobody but " +
        "the organisation's administrators can set it.",
    ),
  domains: z
    .array(
      z
        .string()
        .max(253)
        .regex(/^[a-z0-9-]+(\.[a-z0-9-]+)+$/, "must be a domain in lower case"),
    )
    .max(1000)
    .default([])
    .describe("E-mail domains whose people sign in here. Only a hint, and anybody can read it."),
  check: CheckConfiguration,
  scim: ScimConfiguration,
  backChannelLogout: BackChannelLogoutConfiguration,
  globalTokenRevocation: GlobalTokenRevocationConfiguration,
  directoryNotices: DirectoryNoticesConfiguration,
  vendors: z
    .array(ShortName)
    .max(1000)
    .nullable()
    .default(null)
    .describe(
      "Vendors whose members this IdP may name by their e-mail at a first sign-in. Null: all, for the first listed, and " +
        "none, for any other, as a vendor's own IdP can state any e-mail it likes.",
    ),
  securityEvents: SecurityEventsConfiguration.optional(),
});
type WrittenIssuer = z.output<typeof WrittenIssuer>;

/** An IdP whose ID tokens are accepted, with what its preset fills in. */
export const Issuer = WrittenIssuer.superRefine((issuer, context) => {
  const problem = (path: string, message: string) =>
    context.addIssue({ code: "custom", path: [path], message });
  if (!URL.canParse(issuer.issuer)) return;
  if (isEntra(issuer.issuer) && entraTenant(issuer.issuer) === null)
    problem(
      "issuer",
      "this stands for many tenants of Entra ID, so anybody could sign in: name one by its id",
    );
  else {
    const wrong = presetProblem(issuer.preset, issuer.issuer);
    if (wrong !== null) problem("issuer", wrong);
  }
  if (issuer.preset === "google" && issuer.requiredClaims?.hd === undefined)
    problem(
      "requiredClaims",
      "Google signs in everybody: name your Workspace's domains, { hd: [example.com] }",
    );
  if (issuer.check.by === "introspection" && isNotBySub(issuer))
    problem("check", "introspection tells people by `sub` only: ask by refresh");
  if (issuer.emailClaim !== "email" && !issuer.trustEmail)
    problem("emailClaim", "no claim says that this one is verified: it needs trustEmail: true");
  if (issuer.hints?.claims !== undefined && !isJsonObject(issuer.hints.claims))
    problem("hints", "claims must be a JSON object");
})
  .transform(withPreset)
  .describe(
    "An IdP whose ID tokens are accepted. Hosts pin this at enrolment; changing it needs hosts to be told.",
  );
export type IssuerConfiguration = z.output<typeof Issuer>;

function withPreset(written: WrittenIssuer) {
  const defaults = presetDefaults(written.preset, written.issuer);
  const mfa = {
    acr: written.mfa.acr ?? defaults.mfa.acr,
    amr: written.mfa.amr ?? defaults.mfa.amr,
    acrs: written.mfa.acrs ?? defaults.mfa.acrs,
    assume: written.mfa.assume,
  };
  const { check } = written;
  return {
    ...written,
    // Whom nobody can ask about would stay: a client that was changed could keep its refresh token for itself.
    check: { ...check, required: check.required ?? check.by !== "none" },
    scope: written.scope ?? defaults.scope,
    acrValues: written.acrValues === undefined ? defaults.acrValues : written.acrValues,
    hints: { ...defaults.hints, ...contextHint(mfa.acrs), ...written.hints } as Record<string, string>,
    maxAge: written.maxAge === undefined ? defaults.maxAge : written.maxAge,
    algorithms: written.algorithms ?? defaults.algorithms,
    mfa,
    subjectClaim: written.subjectClaim ?? defaults.subjectClaim,
    // Added to, never replaced: a preset's tenant cannot be lost by naming another claim.
    requiredClaims: { ...written.requiredClaims, ...defaults.requiredClaims },
    emailVerifiedClaim: written.emailVerifiedClaim ?? defaults.emailVerifiedClaim,
    aliases: defaults.aliases,
  };
}

/** Entra ID tells of a context only when it was asked for by name. */
function contextHint(acrs: Record<string, MfaLevel>): { claims?: string } {
  const values = Object.keys(acrs);
  return values.length === 0
    ? {}
    : { claims: JSON.stringify({ id_token: { acrs: { essential: true, values } } }) };
}

function isNotBySub({ subjectClaim, preset, issuer }: WrittenIssuer): boolean {
  return (subjectClaim ?? presetDefaults(preset, issuer).subjectClaim) !== "sub";
}

function isJsonObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}
