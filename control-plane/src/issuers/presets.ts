import type { MfaLevel } from "@sallyport/core/policy/engagement.ts";
import { entraTenant } from "./multi-tenant.ts";

/** What a preset fills in where the configuration says nothing. */
export interface PresetDefaults {
  algorithms: "RS256"[];
  scope: string;
  acrValues: string | null;
  hints: Record<string, string>;
  /** Seconds sent as `max_age`; null sends none. */
  maxAge: number | null;
  mfa: { acr: Record<string, MfaLevel>; amr: Record<string, MfaLevel>; acrs: Record<string, MfaLevel> };
  subjectClaim: "sub" | "oid";
  emailVerifiedClaim: "email_verified" | "xms_edov";
  aliases: string[];
  requiredClaims: Record<string, string[]>;
}

/** A preset: its defaults for an issuer, and what is wrong with an issuer at such an IdP, or null. */
interface Preset {
  defaults: Partial<PresetDefaults>;
  problem(issuer: string): string | null;
}

const GENERIC: PresetDefaults = {
  algorithms: ["RS256"],
  scope: "openid profile email",
  acrValues: null,
  hints: {},
  maxAge: 43_200,
  mfa: { acr: {}, amr: {}, acrs: {} },
  subjectClaim: "sub",
  emailVerifiedClaim: "email_verified",
  aliases: [],
  requiredClaims: {},
};

const AUTH0_MFA = "http://schemas.openid.net/pape/policies/2007/06/multi-factor";
const GOOGLE = "https://accounts.google.com";

/** The IdPs whose traps are known; docs/idp/ has a page for each. */
const PRESETS = {
  generic: { defaults: {}, problem: () => null },
  okta: {
    defaults: {
      acrValues: "urn:okta:loa:2fa:any",
      // Not `…:2fa:any:ifpossible`, which one factor satisfies too, nor `hwk` and `swk`, which one factor may be.
      mfa: {
        acr: { "urn:okta:loa:2fa:any": "mfa", phr: "phishing-resistant", phrh: "phishing-resistant" },
        amr: { mfa: "mfa" },
        acrs: {},
      },
    },
    problem: (issuer) => {
      const { hostname, pathname } = new URL(issuer);
      if (/-admin\.[a-z.-]+$/.test(hostname)) return "this is the admin console's address: leave out -admin";
      if (issuer.endsWith("/")) return "issuers of Okta do not end with a slash";
      return pathname === "/" || /^\/oauth2\/[^/]+$/.test(pathname)
        ? null
        : "an issuer of Okta is the org's address, or that with /oauth2/ and the authorization server's id";
    },
  },
  entra: {
    defaults: {
      // Tokens of v1.0 tell by `amr`, those of v2.0 by the authentication contexts that the configuration names.
      mfa: { acr: {}, amr: { mfa: "mfa", ngcmfa: "mfa" }, acrs: {} },
      subjectClaim: "oid",
      emailVerifiedClaim: "xms_edov",
    },
    problem: (issuer) =>
      entraTenant(issuer) === null
        ? "an issuer of Entra ID names one tenant by its id: https://login.microsoftonline.com/TENANT-ID/v2.0"
        : null,
  },
  google: {
    defaults: { maxAge: null, aliases: ["accounts.google.com"] },
    problem: (issuer) =>
      issuer === GOOGLE ? null : `the issuer of Google is ${GOOGLE}, without a slash at the end`,
  },
  keycloak: {
    defaults: {
      acrValues: "2",
      mfa: { acr: { "2": "mfa" }, amr: { mfa: "mfa", otp: "mfa" }, acrs: {} },
    },
    problem: (issuer) =>
      /\/realms\/[^/]+$/.test(new URL(issuer).pathname)
        ? null
        : "an issuer of Keycloak ends with /realms/ and the realm's name, without a slash at the end",
  },
  auth0: {
    defaults: { acrValues: AUTH0_MFA, mfa: { acr: { [AUTH0_MFA]: "mfa" }, amr: { mfa: "mfa" }, acrs: {} } },
    problem: (issuer) =>
      issuer.endsWith("/") ? null : "issuers of Auth0 end with a slash, which is part of them",
  },
} as const satisfies Record<string, Preset>;

/** Names of the presets. */
export const PRESET_NAMES = Object.keys(PRESETS) as (keyof typeof PRESETS)[];
export type PresetName = keyof typeof PRESETS;

/** What a preset fills in for this issuer. */
export function presetDefaults(name: PresetName, issuer: string): PresetDefaults {
  const tenant = name === "entra" ? entraTenant(issuer) : null;
  return {
    ...GENERIC,
    ...(PRESETS[name] as Preset).defaults,
    ...(tenant === null ? {} : { requiredClaims: { tid: [tenant] } }),
  };
}

/** Why this cannot be the issuer of such an IdP, or null. */
export function presetProblem(name: PresetName, issuer: string): string | null {
  return PRESETS[name].problem(issuer);
}
