import { z } from "zod";
import { isSafeUrl } from "../config/loopback.ts";

/** From an account's end at the IdP to our knowing of it, in seconds: what `every` and `timeout` together stay below. */
const PROMISE = 60;

const Introspection = z.strictObject({
  clientId: z
    .string()
    .min(1)
    .max(255)
    .describe("The control plane's own confidential client at the IdP; not the command line's."),
  clientSecretFile: z
    .string()
    .startsWith("/", "must be an absolute path")
    .describe("File with that client's secret, one line."),
  endpoint: z
    .url({ protocol: /^https?$/ })
    .refine(isSafeUrl, "plain HTTP is for this machine only: use https")
    .optional()
    .describe("Where to ask; left out: what the IdP publishes as `introspection_endpoint`."),
});

/** `check` of an issuer: how the control plane asks the IdP, all the time, whether somebody is still theirs. */
export const CheckConfiguration = z
  .strictObject({
    by: z
      .enum(["refresh", "introspection", "none"])
      .default("refresh")
      .describe(
        "`refresh`: with the sign-in's refresh token (RFC 6749 §6), which every IdP can; `introspection`: RFC 7662; `none`: not at " +
          "all, and the command line keeps the refresh token. Danger: with `none` somebody who is disabled stays until their certificate ends, unless the IdP pushes.",
      ),
    every: z.int().min(5).max(55).default(40).describe("Seconds between two questions about one sign-in."),
    timeout: z.int().min(1).max(30).default(10).describe("Seconds that an answer may take."),
    concurrency: z
      .int()
      .min(1)
      .max(200)
      .default(20)
      .describe("How many questions may be under way at this IdP at once, for each replica."),
    required: z
      .boolean()
      .optional()
      .describe(
        "Refuses contractors' sign-ins that bring no refresh token; default: yes, but with `by: none`. False is for IdPs that give " +
          "none. Danger: with false, somebody who keeps theirs back is not asked about; their certificate is not renewed, but a " +
          "session that they have open stays.",
      ),
    introspection: Introspection.optional().describe("Only with `by: introspection`, which needs it."),
  })
  .prefault({})
  .superRefine(({ by, every, timeout, required, introspection }, context) => {
    const problem = (path: string, message: string) =>
      context.addIssue({ code: "custom", path: [path], message });
    if (every + timeout >= PROMISE)
      problem("every", `every and timeout together must stay below ${PROMISE} seconds`);
    if (required === true && by === "none") problem("required", "nothing is asked with `by: none`");
    if ((by === "introspection") !== (introspection !== undefined))
      problem("introspection", "goes with `by: introspection`, and has to be there then");
  })
  .describe(
    "How the control plane asks this IdP, at most 60 s apart, whether the people with a live certificate or session are still " +
      "theirs. It keeps the refresh tokens of sign-ins for that, encrypted.",
  );
export type CheckConfiguration = z.output<typeof CheckConfiguration>;
