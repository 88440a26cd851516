import type { HttpBindings } from "@hono/node-server";
import type { AuditLog } from "../audit/audit-log.ts";
import type { Configuration } from "../config/configuration.ts";
import type { Database } from "../database/tables.ts";
import type { Environment } from "../environment.ts";
import type { ConnectedHosts } from "../hosts/connected-hosts.ts";
import type { IssuerKeys } from "../issuers/issuer-keys.ts";
import type { Keys } from "../keys/keys.ts";
import type { RateLimit } from "./rate-limit.ts";

/** Everything that routes work with. */
export interface Services {
  db: Database;
  environment: Environment;
  config: Configuration;
  keys: Keys;
  issuerKeys: IssuerKeys;
  hosts: ConnectedHosts;
  auditLog: AuditLog;
  rateLimit: RateLimit;
  /** Where recordings are stored. */
  recordingsDirectory: string;
}

/** Types of a Hono context here: the Node request below it. */
export interface AppEnv {
  Bindings: HttpBindings;
}
