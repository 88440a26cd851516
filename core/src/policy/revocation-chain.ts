import { createHash } from "node:crypto";
import { canonicalJson } from "../canonical-json.ts";
import type { Revocation } from "./revocation.ts";

/** The chain of an empty list. */
export const EMPTY_REVOCATION_CHAIN = "";

/**
 * The chain after one more entry: base64url of SHA-256 over the chain before (its text) and the entry's canonical JSON. The chain at a
 * sequence number names the whole list up to it, so that a short signed statement vouches for a list that came bit by bit.
 */
export function chainRevocation(chain: string, entry: Revocation): string {
  return createHash("sha256").update(chain).update("\n").update(canonicalJson(entry)).digest("base64url");
}
