import type { Migration } from "kysely/migration";
import * as initial from "./0001-initial.ts";
import * as grants from "./0002-grants.ts";
import * as hostFacts from "./0003-host-facts.ts";
import * as auditLog from "./0004-audit-log.ts";

/** Every migration by name, in order. Released ones are never changed: add a file. */
export const MIGRATIONS: Record<string, Migration> = {
  "0001-initial": initial,
  "0002-grants": grants,
  "0003-host-facts": hostFacts,
  "0004-audit-log": auditLog,
};
