import { StaffRole } from "@sallyport/core/messages/client-api.ts";
import { IdTokenAlgorithm, TrustedIssuer } from "@sallyport/core/messages/trust.ts";
import { DisplayText, ShortName } from "@sallyport/core/names.ts";
import { z } from "zod";
import { isLoopback, isSafeUrl } from "./loopback.ts";

const PLAIN_HTTP = "plain HTTP is for this machine only: use https, or http with 127.0.0.1, ::1 or localhost";

const SafeUrl = z
  .url({ protocol: /^https?$/ })
  .refine(isSafeUrl, PLAIN_HTTP)
  .transform((url) => url.replace(/\/+$/, ""));

const Listen = z
  .strictObject({
    address: z
      .string()
      .refine(isLoopback, `must be a loopback address: ${PLAIN_HTTP}; put a TLS proxy in front`)
      .default("127.0.0.1")
      .describe("Address to listen on. Only loopback: TLS is a proxy's work in this version."),
    port: z.int().min(0).max(65535).default(7300).describe("TCP port. 0 lets the system choose one (tests)."),
  })
  .prefault({})
  .describe("Where the HTTP API and the host link listen.");

const Issuer = z
  .strictObject({
    name: DisplayText.min(1).describe("Name that people see when they choose where to sign in."),
    issuer: z
      .url({ protocol: /^https?$/ })
      .refine(isSafeUrl, PLAIN_HTTP)
      .describe("Issuer identifier, exactly as in the `iss` claim, including or without its last slash."),
    clientId: z
      .string()
      .min(1)
      .max(255)
      .describe(
        "The public client of the command line. Never a web client's: hosts accept tokens with this `aud`.",
      ),
    scope: z
      .string()
      .max(500)
      .default("openid profile email")
      .describe("Scopes that the command line asks for."),
    acrValues: z
      .string()
      .max(500)
      .nullable()
      .default(null)
      .describe("`acr_values` to ask for, or null for none."),
    algorithms: z
      .array(IdTokenAlgorithm)
      .min(1)
      .default(["RS256"])
      .describe("Signature algorithms accepted on ID tokens. List only what the IdP really uses."),
    maxTokenAge: TrustedIssuer.shape.maxTokenAge
      .default(86_400)
      .describe("Oldest ID token accepted at a login, in seconds since `iat`."),
    mfa: z
      .strictObject({
        acr: TrustedIssuer.shape.mfa.shape.acr.default({}),
        amr: TrustedIssuer.shape.mfa.shape.amr.default({}),
      })
      .prefault({})
      .describe(
        "What `acr` and `amr` values prove: none, mfa or phishing-resistant. Unlisted values prove nothing.",
      ),
    vendors: z
      .array(ShortName)
      .max(1000)
      .nullable()
      .default(null)
      .describe(
        "Vendors whose members this IdP may name by their e-mail at a first sign-in. Null: all, for the first listed, and " +
          "none, for any other, as a vendor's own IdP can state any e-mail it likes.",
      ),
  })
  .describe(
    "An IdP whose ID tokens are accepted. Hosts pin this at enrolment; changing it needs hosts to be told.",
  );

const Staff = z.strictObject({
  email: z
    .email()
    .transform((email) => email.toLowerCase())
    .describe("Pinned to (issuer, subject) at the first sign-in with a verified e-mail."),
  role: StaffRole.describe(
    "sponsor sees and ends the engagements that name them as sponsor, and approves for them; approver approves; auditor " +
      "reads everything; admin does everything.",
  ),
  issuer: z
    .url()
    .optional()
    .describe(
      "The IdP this person must come from; default: the first listed, so that no vendor's IdP can name staff.",
    ),
});

/** The configuration file of the control plane; the descriptions are its manual. */
export const Configuration = z
  .strictObject({
    version: z.literal(1).describe("Version of this file's format."),
    listen: Listen,
    url: SafeUrl.describe(
      "URL under which hosts and clients reach this server. Hosts pin it. Port 0 follows `listen.port`.",
    ),
    dataDirectory: z
      .string()
      .startsWith("/", "must be an absolute path")
      .describe(
        "Keys, database and recordings. Losing it loses all evidence; whoever reads keys/ can sign certificates.",
      ),
    certificateLifetime: z
      .int()
      .min(60)
      .max(86_400)
      .default(3600)
      .describe("Longest life of a user certificate in seconds; never past the ID token or the engagement."),
    lease: z
      .int()
      .min(30)
      .max(86_400)
      .default(600)
      .describe(
        "Seconds that a host may admit logins without hearing from us. Long: a cut-off host hears of a revocation late.",
      ),
    issuers: z.array(Issuer).min(1).max(100),
    staff: z.array(Staff).max(1000).default([]).describe("The security team."),
    policyFile: z
      .string()
      .startsWith("/", "must be an absolute path")
      .optional()
      .describe(
        "Members and engagements as YAML; read at start and on SIGHUP. It adds and changes, never deletes.",
      ),
    rateLimit: z
      .strictObject({
        perSecond: z.number().positive().max(100_000).default(20),
        burst: z.int().min(1).max(100_000).default(200),
      })
      .prefault({})
      .describe(
        "Requests per client address to the routes that need no sign-in: a lasting rate, and a burst on top.",
      ),
  })
  .superRefine((config, context) => {
    const issuers = config.issuers.map((issuer) => issuer.issuer);
    issuers.forEach((issuer, index) => {
      if (issuers.indexOf(issuer) === index) return;
      context.addIssue({
        code: "custom",
        path: ["issuers", index, "issuer"],
        message: "this issuer is listed twice",
      });
    });
    config.staff.forEach((person, index) => {
      if (person.issuer === undefined || issuers.includes(person.issuer)) return;
      context.addIssue({
        code: "custom",
        path: ["staff", index, "issuer"],
        message: "no such issuer under `issuers`",
      });
    });
  });
export type Configuration = z.infer<typeof Configuration>;
export type StaffConfiguration = Configuration["staff"][number];
export type IssuerConfiguration = Configuration["issuers"][number];
