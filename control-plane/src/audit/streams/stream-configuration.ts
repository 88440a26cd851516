import { ShortName } from "@sallyport/core/names.ts";
import { z } from "zod";
import { isLoopback } from "../../config/loopback.ts";
import { WebhookTarget } from "../../outgoing/webhook.ts";

const Name = ShortName.describe(
  "Its own name; where it stopped is remembered under it, so that a new name begins with the first event.",
);

const Syslog = z
  .strictObject({
    name: Name,
    type: z.literal("syslog").describe("Syslog over TCP (RFC 5424, RFC 6587)."),
    host: z.string().min(1).max(253).describe("Name or address of the receiver."),
    port: z.int().min(1).max(65_535).default(6514).describe("Its TCP port."),
    tls: z
      .boolean()
      .default(true)
      .describe(
        "TLS (RFC 5425). Danger: without it anybody on the way reads the audit log; only for this machine.",
      ),
    caFile: z
      .string()
      .startsWith("/", "must be an absolute path")
      .nullable()
      .default(null)
      .describe("Certificates to trust, PEM; null: those that the system trusts."),
  })
  .refine(({ tls, host }) => tls || isLoopback(host), {
    path: ["tls"],
    message: "without TLS only to this machine: use tls: true, or a relay on 127.0.0.1",
  });

const JsonLines = z.strictObject({
  name: Name,
  type: z.literal("json-lines").describe("A file, one event a line."),
  file: z
    .string()
    .startsWith("/", "must be an absolute path")
    .describe("Lines are appended to it. It may be renamed at any time (logrotate); a new one is made."),
});

const Webhook = z.strictObject({
  name: Name,
  type: z.literal("webhook").describe("HTTP requests."),
  ...WebhookTarget.shape,
});

/** Where the audit log is streamed to. */
export const AuditStream = z.discriminatedUnion("type", [Syslog, JsonLines, Webhook]);
export type AuditStream = z.infer<typeof AuditStream>;
export type SyslogStream = z.infer<typeof Syslog>;
