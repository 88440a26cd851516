import { SallyportError } from "@sallyport/core/errors.ts";
import { isLoopback } from "../../config/loopback.ts";

const SHAPE = "postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full";

/** True for what means PostgreSQL; anything else is the file of an SQLite database. */
export function isPostgresUrl(text: string): boolean {
  return /^postgres(ql)?:/i.test(text);
}

/**
 * Checks a `DATABASE_URL`. Code `config-invalid` when it is none, or leaves open whether the way to another machine is
 * encrypted. The error does not repeat it: there is a password in it.
 */
export function checkDatabaseUrl(text: string): string {
  if (!isPostgresUrl(text) || !URL.canParse(text)) throw invalid(`it must look like ${SHAPE}`);
  const { username, password, hostname, pathname, searchParams } = new URL(text);
  if (![username, password, hostname, pathname].every(isEncoded))
    throw invalid("a percent sign in it must be written %25");
  // Else part of the password is taken for the name of the database, which is told to people.
  if (!/^[^:]+:\/\//.test(text) || /[@/]/.test(pathname.slice(1)))
    throw invalid(`it must look like ${SHAPE}, with / and @ in a password written %2F and %40`);
  const sslmode = searchParams.get("sslmode");
  if (sslmode !== null && !["verify-full", "disable"].includes(sslmode)) {
    throw invalid("`sslmode` must be verify-full, or disable where the network is yours alone");
  }
  if (sslmode === null && !isOnThisMachine(searchParams.get("host") ?? decodeURIComponent(hostname))) {
    throw invalid(
      "its server is another machine: add ?sslmode=verify-full (and sslrootcert=FILE where the CA is your own), " +
        "or ?sslmode=disable where the network is yours alone",
    );
  }
  return text;
}

/** Where a database is, for people: never the password, nor the user. */
export function describeDatabaseUrl(text: string): string {
  const { hostname, port, pathname, searchParams } = new URL(text);
  const host = searchParams.get("host") ?? decodeURIComponent(hostname);
  return `${decodeURIComponent(pathname.slice(1))} at ${host}${port === "" ? "" : `:${port}`}`;
}

function isOnThisMachine(host: string): boolean {
  return host === "" || host.startsWith("/") || isLoopback(host.replace(/^\[(.*)\]$/, "$1"));
}

function isEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

function invalid(why: string): SallyportError {
  return new SallyportError("config-invalid", `DATABASE_URL cannot be used: ${why}.`);
}
