import { z } from "zod";

/** `scim` of an issuer. */
export const ScimConfiguration = z
  .strictObject({
    tokenFile: z
      .string()
      .startsWith("/", "must be an absolute path")
      .describe(
        "File with the bearer token that this IdP sends, of 32 characters or more; or two, one a line, while it is changed. Read again " +
          "when it changes. Danger: whoever has one can disable, and enable again, everybody who comes from this IdP.",
      ),
    subjectAttribute: z
      .enum(["externalId", "userName"])
      .default("externalId")
      .describe(
        "The attribute of SCIM users that is the subject of their ID tokens. Where that names nobody, the other one is tried, then " +
          "the e-mail of somebody who has signed in from this IdP.",
      ),
    requireGroup: z
      .string()
      .min(1)
      .max(255)
      .optional()
      .describe(
        "`displayName` of the group whose members may sign in; without it every active user may. Danger: people who are " +
          "provisioned but not, or not yet, in it are cut off.",
      ),
  })
  .optional()
  .describe("Lets this IdP disable and enable its people over SCIM 2.0, at URL/scim/v2.");
