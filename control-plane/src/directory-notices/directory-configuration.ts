import { z } from "zod";

/** `issuers[].directoryNotices`: the secret that notices of this IdP's directory carry; none are taken without it. */
export const DirectoryNoticesConfiguration = z
  .strictObject({
    secretFile: z
      .string()
      .startsWith("/", "must be an absolute path")
      .describe(
        "File with what the subscription was made with as `clientState` (Entra ID) or `token` (Google), 24 to 255 bytes. Whoever " +
          "knows it can have people checked sooner, and nothing else.",
      ),
  })
  .optional()
  .describe(
    "Change notices of Microsoft Graph (`/directory-notices/entra`) and of Google's Directory API (`/directory-notices/google`): " +
      "hints to ask the IdP about somebody at once.",
  );
