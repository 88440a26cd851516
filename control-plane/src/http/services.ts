import type { HttpBindings } from "@hono/node-server";
import type { AuditLog } from "../audit/audit-log.ts";
import type { ActiveChecks } from "../checks/active-checks.ts";
import type { Configuration } from "../config/configuration.ts";
import type { Database } from "../database/tables.ts";
import type { HintMerger } from "../directory-notices/hint-merger.ts";
import type { Environment } from "../environment.ts";
import type { HostConnections } from "../hosts/host-connections.ts";
import type { IssuerKeys } from "../issuers/issuer-keys.ts";
import type { GrantSealing } from "../keys/grant-sealing.ts";
import type { Keys } from "../keys/keys.ts";
import type { RevocationKeys } from "../logout/revocation-keys.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { RecordingPlaces } from "../recordings/recording-places.ts";
import type { SecurityEvents } from "../security-events/security-events.ts";
import type { RateLimit } from "./rate-limit.ts";

/** Everything that routes work with. */
export interface Services {
  db: Database;
  environment: Environment;
  config: Configuration;
  keys: Keys;
  /** Of refresh tokens, see `checks/keep-grant.ts`. */
  sealing: GrantSealing;
  /** Asks IdPs about people who are signed in. */
  checks: ActiveChecks;
  /** What directories say has changed, on its way to `checks`. */
  hints: HintMerger;
  issuerKeys: IssuerKeys;
  /** Of Global Token Revocation. */
  revocationKeys: RevocationKeys;
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
  /** Takes Security Event Tokens of IdPs. */
  securityEvents: SecurityEvents;
}

/** Types of a Hono context here: the Node request below it, and what a request collects. */
export interface AppEnv {
  Bindings: HttpBindings;
  /** The route that answers, as it was declared; metrics count by it. */
  Variables: { route: string };
}
