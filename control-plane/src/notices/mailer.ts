import { readFileSync } from "node:fs";
import { SallyportError } from "@sallyport/core/errors.ts";
import { createTransport } from "nodemailer";
import type { SmtpConfiguration } from "./notices-configuration.ts";

const TIMEOUT_MS = 10_000;

/** One e-mail, plain text. */
export interface Mail {
  /** Stable, so that a recipient's server can tell one that came twice. */
  id: string;
  to: string;
  subject: string;
  text: string;
}

/**
 * Hands an e-mail to the mail server, once. Code `delivery-failed` with what the server answered; a refusal for good
 * (SMTP 5xx on the recipient) says so with `permanent` in its cause.
 */
export async function sendMail(smtp: SmtpConfiguration, mail: Mail): Promise<void> {
  const transport = createTransport({
    host: smtp.host,
    port: smtp.port,
    secure: smtp.tls === "implicit",
    requireTLS: smtp.tls === "starttls",
    ignoreTLS: smtp.tls === "none",
    ...(smtp.user !== null && { auth: { user: smtp.user, pass: password(smtp) } }),
    tls: smtp.caFile === null ? {} : { ca: readConfigured(smtp.caFile) },
    connectionTimeout: TIMEOUT_MS,
    greetingTimeout: TIMEOUT_MS,
    socketTimeout: TIMEOUT_MS,
    // What is in a text is never fetched.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  try {
    await transport.sendMail({
      from: { name: "Sallyport", address: smtp.from },
      // One recipient, as an object: not a list to be taken apart at commas.
      to: { name: "", address: mail.to },
      envelope: { from: smtp.from, to: [mail.to] },
      subject: oneLine(mail.subject),
      text: mail.text,
      messageId: `<${mail.id}@${smtp.from.split("@")[1]}>`,
      headers: { "Auto-Submitted": "auto-generated" },
    });
  } catch (cause) {
    throw new SallyportError(
      "delivery-failed",
      `The mail server ${smtp.host} did not take the e-mail: ${why(cause)}.`,
      { cause },
    );
  } finally {
    transport.close();
  }
}

/** Codes and reply numbers only: texts of a mail server may repeat what it was sent. */
function why(error: unknown): string {
  const { code, responseCode } = error as { code?: unknown; responseCode?: unknown };
  const known = [code, responseCode].filter((part) => part !== undefined).map(String);
  return known.length === 0 ? "no reason was given" : known.join(" ");
}

function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ").slice(0, 200);
}

function password({ passwordFile }: SmtpConfiguration): string {
  return passwordFile === null ? "" : (readConfigured(passwordFile).split("\n")[0] ?? "").trimEnd();
}

function readConfigured(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new SallyportError("delivery-failed", `${file} cannot be read; check its path and owner.`, {
      cause,
    });
  }
}
