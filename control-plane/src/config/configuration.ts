import { StaffRole } from "@sallyport/core/messages/client-api.ts";
import { z } from "zod";
import { ApprovalsConfiguration } from "../approvals/approvals-configuration.ts";
import { AuditStream } from "../audit/streams/stream-configuration.ts";
import { Issuer } from "../issuers/issuer-configuration.ts";
import { KeyConfiguration } from "../keys/key-configuration.ts";
import { NoticesConfiguration } from "../notices/notices-configuration.ts";
import { Retention } from "../recordings/retention-configuration.ts";
import { repeatedTransmitter } from "../security-events/transmitter.ts";
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
      .default("127.0.0.1")
      .describe("Address to listen on. Beyond loopback only with `tls`, or with `listen.plainHttp`."),
    port: z.int().min(0).max(65535).default(7300).describe("TCP port. 0 lets the system choose one (tests)."),
    plainHttp: z
      .literal("a-proxy-does-tls")
      .optional()
      .describe(
        "Allows plain HTTP beyond loopback, for a network on which only the TLS proxy reaches this port. Danger: whoever else reaches " +
          "it reads and takes tokens.",
      ),
  })
  .prefault({})
  .describe("Where the HTTP API and the host link listen.");

const Staff = z.strictObject({
  email: z
    .email()
    .transform((email) => email.toLowerCase())
    .describe("Pinned to (issuer, subject) at the first sign-in with a verified e-mail."),
  role: StaffRole.optional().describe(
    "sponsor sees and ends the engagements that name them as sponsor, and approves for them; approver approves; auditor " +
      "reads everything; admin does everything.",
  ),
  roles: z.array(StaffRole).max(4).default([]).describe("Instead of `role`, or besides it: several roles."),
  issuer: z
    .url()
    .optional()
    .describe(
      "The IdP this person must come from; default: the first listed, so that no vendor's IdP can name staff.",
    ),
});

const StaffGroup = z.strictObject({
  issuer: z
    .url()
    .describe("The IdP whose word counts; one of `issuers`. Danger: never one that a vendor runs."),
  claim: z
    .string()
    .min(1)
    .max(255)
    .default("groups")
    .describe("Claim of the ID token that lists the names: `groups`, or `roles` with Entra ID's app roles."),
  group: z
    .string()
    .min(1)
    .max(255)
    .describe("Name in that list, exactly. For Entra ID's groups it is the object id."),
  role: StaffRole.describe(
    "What members of the group are, for as long as their sign-in lasts. Danger with sponsor: whoever runs the IdP can name " +
      "anybody's e-mail, and with it sponsor their engagements.",
  ),
});

const Tls = z
  .strictObject({
    certFile: z
      .string()
      .startsWith("/", "must be an absolute path")
      .describe("Certificate with its chain, PEM, the server's own first."),
    keyFile: z.string().startsWith("/", "must be an absolute path").describe("Its private key, PEM."),
  })
  .optional()
  .describe(
    "Serves HTTPS, TLS 1.2 or newer. New files are taken within a minute, or on SIGHUP, and drop no link.",
  );

const Limit = (perSecond: number, burst: number) =>
  z
    .strictObject({
      perSecond: z
        .number()
        .positive()
        .max(100_000)
        .default(perSecond)
        .describe("The lasting rate, in requests per second."),
      burst: z.int().min(1).max(100_000).default(burst).describe("Requests at once, on top of it."),
    })
    .prefault({});

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
        "Keys, database and recordings. Danger: losing it loses all evidence; whoever reads keys/ can sign certificates.",
      ),
    certificateLifetime: z
      .int()
      .min(60)
      .max(86_400)
      .default(3600)
      .describe(
        "Longest life of a user certificate in seconds; never past the ID token, of a renewed one the fresh one, or the engagement. " +
          "Not under a minute: a login takes a moment, and clocks differ.",
      ),
    hostCertificateLifetime: z
      .int()
      .min(3600)
      .max(63_072_000)
      .default(2_592_000)
      .describe(
        "Life of a host certificate in seconds; it is renewed when a third is left. A host that is away for longer than that " +
          "third has to come back before contractors can connect to it.",
      ),
    keys: KeyConfiguration,
    lease: z
      .int()
      .min(30)
      .max(86_400)
      .default(600)
      .describe(
        "Seconds that a host may admit logins without hearing from us. Danger: long, a cut-off host hears of a revocation late.",
      ),
    issuers: z
      .array(Issuer)
      .min(1)
      .max(100)
      .describe(
        "The IdPs whose ID tokens are accepted; the first is the company's own. Hosts pin them at enrolment: after a change, enrol them " +
          "anew. Danger: whoever runs one can sign in as everybody who is pinned to it.",
      ),
    staff: z.array(Staff).max(1000).default([]).describe("The security team."),
    staffGroups: z
      .array(StaffGroup)
      .max(1000)
      .default([])
      .describe("The security team by groups of its IdP. What the file says now counts for every request."),
    tls: Tls,
    trustedProxies: z
      .array(z.union([z.cidrv4(), z.cidrv6()]))
      .max(100)
      .default([])
      .describe(
        "Networks of proxies in front of this server: only from them X-Forwarded-For says where a client is. Danger: anybody in " +
          "such a network can claim any address.",
      ),
    policyFile: z
      .string()
      .startsWith("/", "must be an absolute path")
      .optional()
      .describe(
        "Members and engagements as YAML; read at start and on SIGHUP, and applied when its text is not the one that was " +
          "applied last. It adds and changes, never deletes.",
      ),
    invitationLifetime: z
      .int()
      .min(3600)
      .max(365 * 86_400)
      .default(14 * 86_400)
      .describe(
        "Seconds for which an invitation may be used. Danger: long, a mailbox that is taken over later opens it.",
      ),
    notices: NoticesConfiguration.prefault({}).describe("How people are told of what comes."),
    retention: Retention,
    approvals: ApprovalsConfiguration.prefault({}).describe("Requests for approval."),
    auditStreams: z
      .array(AuditStream)
      .max(20)
      .default([])
      .describe("Where every event of the audit log is sent as well: at least once each, in order."),
    rateLimit: z
      .strictObject({
        perSecond: z
          .number()
          .positive()
          .max(100_000)
          .default(20)
          .describe("The lasting rate, in requests per second; an IPv6 /64 counts as one address."),
        burst: z.int().min(1).max(100_000).default(200).describe("Requests at once, on top of it."),
        caller: Limit(50, 1000).describe("Requests per signed-in person or token; an export counts as 10."),
        failures: Limit(1, 100).describe(
          'Answers "not signed in" per client address; then it is "too many".',
        ),
      })
      .prefault({})
      .describe(
        "Requests per client address to the routes that need no sign-in: a lasting rate, and a burst on top.",
      ),
  })
  .superRefine((config, context) => {
    config.auditStreams.forEach(({ name }, index) => {
      if (config.auditStreams.findIndex((other) => other.name === name) === index) return;
      const message = "this name is listed twice";
      context.addIssue({ code: "custom", path: ["auditStreams", index, "name"], message });
    });
    const issuers = config.issuers.map((issuer) => issuer.issuer);
    issuers.forEach((issuer, index) => {
      if (issuers.indexOf(issuer) === index) return;
      context.addIssue({
        code: "custom",
        path: ["issuers", index, "issuer"],
        message: "this issuer is listed twice",
      });
    });
    const repeated = repeatedTransmitter(config.issuers);
    if (repeated !== -1)
      context.addIssue({
        code: "custom",
        path: ["issuers", repeated, "securityEvents", "issuer"],
        message:
          "another IdP's security events come from this issuer: whose people are meant could not be told",
      });
    if (
      !isLoopback(config.listen.address) &&
      config.tls === undefined &&
      config.listen.plainHttp === undefined
    )
      context.addIssue({
        code: "custom",
        path: ["listen", "address"],
        message: `must be a loopback address: ${PLAIN_HTTP}; set \`tls\`, or put a TLS proxy in front`,
      });
    config.staffGroups.forEach(({ issuer }, index) => {
      if (issuers.includes(issuer)) return;
      const message = "no such issuer under `issuers`";
      context.addIssue({ code: "custom", path: ["staffGroups", index, "issuer"], message });
    });
    config.staff.forEach((person, index) => {
      if (person.role === undefined && person.roles.length === 0)
        context.addIssue({ code: "custom", path: ["staff", index], message: "`role` or `roles` is missing" });
      if (person.issuer === undefined || issuers.includes(person.issuer)) return;
      context.addIssue({
        code: "custom",
        path: ["staff", index, "issuer"],
        message: "no such issuer under `issuers`",
      });
    });
  });
export type Configuration = z.infer<typeof Configuration>;
