import { SallyportError } from "@sallyport/core/errors.ts";
import { isSafeUrl } from "../config/loopback.ts";

/** A bucket of an S3-compatible store, and what opens it. */
export interface ObjectsLocation {
  /** With the bucket as its path: `https://s3.example.com/bucket`. */
  endpoint: string;
  region: string;
  /** Before every key; empty, or ending with a slash. */
  prefix: string;
  accessKeyId: string;
  secretAccessKey: string;
}

type Variables = Readonly<Record<string, string | undefined>>;

const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
/** What needs no escaping in a key, so that every store reads it the same way. */
const PREFIX = /^[A-Za-z0-9_.-]+(\/[A-Za-z0-9_.-]+)*$/;

/**
 * Reads `SALLYPORT_OBJECTS`, `s3://BUCKET[/PREFIX]?endpoint=URL&region=REGION`, with the credentials in `AWS_ACCESS_KEY_ID`
 * and `AWS_SECRET_ACCESS_KEY`; undefined when it is not set. Code `config-invalid`; the message has no secret in it.
 */
export function objectsLocation(variables: Variables): ObjectsLocation | undefined {
  const text = variables.SALLYPORT_OBJECTS;
  if (text === undefined || text === "") return undefined;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== "s3:" || url.username !== "" || url.password !== "" || url.hash !== "")
    throw invalid("it has to be s3://BUCKET/PREFIX?endpoint=https://…&region=…, without credentials");
  const { endpoint, region = "us-east-1", ...unknown } = Object.fromEntries(url.searchParams);
  // Not named: what follows an `&` may be the rest of a password.
  if (Object.keys(unknown).length > 0) throw invalid("it knows endpoint and region, and nothing else");
  if (!BUCKET.test(url.host)) throw invalid("its bucket has to be a name of S3");
  const prefix = url.pathname.replace(/^\/+|\/+$/g, "");
  if (prefix !== "" && (!PREFIX.test(prefix) || prefix.length > 200 || /(^|\/)\.+(\/|$)/.test(prefix)))
    throw invalid("its prefix may have letters, digits, _ . - and /");
  if (!/^[A-Za-z0-9-]{1,64}$/.test(region)) throw invalid("its region is none");
  const base = endpoint ?? `https://s3.${region}.amazonaws.com`;
  if (!URL.canParse(base) || !isSafeUrl(base) || new URL(base).search !== "")
    throw invalid("its endpoint has to be an https address, or http on this machine");
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = variables;
  if (!accessKeyId || !secretAccessKey)
    throw invalid("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY have to be set with it");
  return {
    endpoint: `${base.replace(/\/+$/, "")}/${url.host}`,
    region,
    prefix: prefix === "" ? "" : `${prefix}/`,
    accessKeyId,
    secretAccessKey,
  };
}

function invalid(why: string): SallyportError {
  return new SallyportError("config-invalid", `SALLYPORT_OBJECTS cannot be used: ${why}.`);
}
