import { z } from "zod";
import { Text } from "./decode-set.ts";
import { SetError } from "./set-error.ts";
import type { Transmitter } from "./transmitter.ts";

/** Whom a subject identifier may mean, as far as we can look them up; always at the IdP that says so. */
export type Principal =
  | { kind: "subject"; subject: string }
  | { kind: "email"; email: string }
  /** A session at the IdP (`sid`). */
  | { kind: "session"; sid: string };

type Reading = Principal[] | "foreign" | "unsupported";

const MOST_ALIASES = 20;

const Id = z.record(z.string(), z.unknown());
const IssSub = z.object({ iss: Text(2000), sub: Text(255) });
const Opaque = z.object({ id: Text(255) });
const EmailId = z.object({ email: Text(320) });
const Account = z.object({ uri: Text(330).regex(/^acct:[^@]+@[^@]+$/i, "must be an acct: URI") });
const Aliases = z.object({ identifiers: z.array(Id).min(1).max(MOST_ALIASES) });

/** Members of a complex subject (SSF 1.0 §3.2); the older form has them without `format`. */
const MEMBERS = ["user", "session", "device", "tenant", "org_unit", "group", "application"];

/**
 * Reads a subject identifier (RFC 9493, the complex subjects of SSF, and the form with `subject_type` of before). An IdP may
 * speak of its own people only: another issuer in it is `access_denied`. A form in which nobody is known here, or one that is
 * malformed, is `invalid_request`.
 */
export function readSubject(identifier: unknown, transmitter: Transmitter): Principal[] {
  const reading = read(parse(Id, identifier), transmitter, true);
  if (reading === "foreign")
    throw signedError("access_denied", "The token speaks of somebody of another issuer than the IdP's own.");
  if (reading === "unsupported")
    throw signedError(
      "invalid_request",
      "The token names its subject in a form in which nobody is known here: use iss_sub, opaque, email or account.",
    );
  return reading;
}

function read(identifier: Record<string, unknown>, transmitter: Transmitter, isTop: boolean): Reading {
  switch (formatOf(identifier)) {
    case "iss_sub":
    case "id_token_claims": {
      const { iss, sub } = parse(IssSub, identifier);
      return transmitter.subjectIssuers.includes(iss) ? [{ kind: "subject", subject: sub }] : "foreign";
    }
    case "opaque": {
      const { id } = parse(Opaque, identifier);
      // CAEP names a session so as well.
      return [
        { kind: "subject", subject: id },
        { kind: "session", sid: id },
      ];
    }
    case "email":
      return [{ kind: "email", email: parse(EmailId, identifier).email }];
    case "account":
      return [{ kind: "email", email: parse(Account, identifier).uri.slice("acct:".length) }];
    case "aliases":
      return isTop ? readAliases(parse(Aliases, identifier).identifiers, transmitter) : "unsupported";
    case "complex":
      return isTop ? readComplex(identifier, transmitter) : "unsupported";
    default:
      return "unsupported";
  }
}

/** Several names of one person: those that mean nothing here are passed over. */
function readAliases(identifiers: Record<string, unknown>[], transmitter: Transmitter): Reading {
  const readings = identifiers.map((one) => read(one, transmitter, false));
  const known = readings.filter((one) => typeof one !== "string").flat();
  if (known.length > 0) return known;
  return readings.includes("foreign") ? "foreign" : "unsupported";
}

/**
 * Of a complex subject the user counts. Device, tenant and the like would only narrow it down to some of their sessions; which those
 * are is not known here, and a session too many is ended rather than one too few. One with a session alone means whose it is.
 */
function readComplex(identifier: Record<string, unknown>, transmitter: Transmitter): Reading {
  const { user, session } = identifier;
  if (user !== undefined) {
    const reading = read(parse(Id, user), transmitter, false);
    return typeof reading === "string" ? reading : reading.filter(({ kind }) => kind !== "session");
  }
  if (session === undefined) return "unsupported";
  const form = parse(Id, session);
  if (formatOf(form) === "iss_sub") {
    const { iss, sub } = parse(IssSub, form);
    return transmitter.subjectIssuers.includes(iss) ? [{ kind: "session", sid: sub }] : "foreign";
  }
  return formatOf(form) === "opaque" ? [{ kind: "session", sid: parse(Opaque, form).id }] : "unsupported";
}

function formatOf(identifier: Record<string, unknown>): string {
  const { format, subject_type } = identifier;
  const written = format ?? subject_type;
  if (typeof written === "string") return written.replaceAll("-", "_");
  return MEMBERS.some((name) => Object.hasOwn(identifier, name)) ? "complex" : "";
}

function parse<T>(schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw signedError("invalid_request", "The token's subject identifier has the wrong shape.", result.error);
}

function signedError(code: "access_denied" | "invalid_request", message: string, cause?: unknown): SetError {
  return new SetError(code, message, { isSigned: true, cause });
}
