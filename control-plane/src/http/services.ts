import type { HttpBindings } from "@hono/node-server";
import type { AuditLog } from "../audit/audit-log.ts";
import type { Configuration } from "../config/configuration.ts";
import type { Database } from "../database/tables.ts";
import type { Environment } from "../environment.ts";
import type { HostConnections } from "../hosts/host-connections.ts";
import type { IssuerKeys } from "../issuers/issuer-keys.ts";
import type { Keys } from "../keys/keys.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { RecordingPlaces } from "../recordings/recording-places.ts";
import type { RateLimit } from "./rate-limit.ts";

/** Everything that routes work with. */
export interface Services {
  db: Database;
  environment: Environment;
  config: Configuration;
  keys: Keys;
  issuerKeys: IssuerKeys;
  hosts: HostConnections;
  auditLog: AuditLog;
  /** Of public routes, by address. */
  rateLimit: RateLimit;
  /** By person or token. */
  callerLimit: RateLimit;
  /** Of requests that are not signed in where they should be, by address. */
  failureLimit: RateLimit;
  metrics: Metrics;
  /** Where recordings are stored. */
  places: RecordingPlaces;
}

/** Types of a Hono context here: the Node request below it, and what a request collects. */
export interface AppEnv {
  Bindings: HttpBindings;
  /** The route that answers, as it was declared; metrics count by it. */
  Variables: { route: string };
}
