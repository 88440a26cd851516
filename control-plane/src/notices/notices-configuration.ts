import { isIP } from "node:net";
import { Email } from "@sallyport/core/names.ts";
import { z } from "zod";
import { isLoopback } from "../config/loopback.ts";
import { WebhookTarget } from "../outgoing/webhook.ts";

const File = z.string().startsWith("/", "must be an absolute path").max(4096);

const Smtp = z
  .strictObject({
    host: z
      .string()
      .max(255)
      .refine((host) => isIP(host) !== 0 || /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(host), "not a host name")
      .describe("The mail server to hand e-mail to."),
    port: z.int().min(1).max(65535).default(587).describe("Its TCP port."),
    tls: z
      .enum(["starttls", "implicit", "none"])
      .default("starttls")
      .describe(
        "`starttls`: it must offer STARTTLS, or nothing is sent; `implicit`: TLS from the first byte (port 465); `none`: only " +
          "for a server on this machine.",
      ),
    caFile: File.nullable()
      .default(null)
      .describe("Certificates (PEM) that the server's must come from; null: those that Node knows."),
    user: z
      .string()
      .min(1)
      .max(255)
      .nullable()
      .default(null)
      .describe("User name; null: without signing in."),
    passwordFile: File.nullable()
      .default(null)
      .describe("File with the password, on its first line. Read anew for each connection."),
    from: Email.describe("Sender of all e-mail."),
  })
  .superRefine((smtp, context) => {
    const problem = (key: string, message: string) =>
      context.addIssue({ code: "custom", path: [key], message });
    if (smtp.tls === "none" && !isLoopback(smtp.host))
      problem(
        "tls",
        "without TLS only a server on this machine will do: anybody on the way reads and alters mail",
      );
    if ((smtp.user === null) !== (smtp.passwordFile === null))
      problem(smtp.user === null ? "user" : "passwordFile", "`user` and `passwordFile` go together");
  });

/** How people are told of what comes: `notices` in the configuration. */
export const NoticesConfiguration = z.strictObject({
  before: z
    .array(z.int().min(1).max(365))
    .max(10)
    .default([7, 1])
    .describe("Days before an engagement ends at which sponsor and members are told; []: never."),
  webhook: WebhookTarget.nullable()
    .default(null)
    .describe("Where each notice is posted as JSON; null: nowhere."),
  smtp: Smtp.nullable().default(null).describe("The mail server; null: no e-mail is sent."),
});
export type NoticesConfiguration = z.infer<typeof NoticesConfiguration>;
export type SmtpConfiguration = NonNullable<NoticesConfiguration["smtp"]>;
