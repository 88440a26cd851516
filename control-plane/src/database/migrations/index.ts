import type { Migration } from "kysely/migration";
import * as initial from "./0001-initial.ts";
import * as grants from "./0002-grants.ts";
import * as hostFacts from "./0003-host-facts.ts";
import * as auditLog from "./0004-audit-log.ts";
import * as replicas from "./0005-replicas.ts";
import * as engagementVersions from "./0006-engagement-versions.ts";
import * as approvals from "./0007-approvals.ts";
import * as tokensAndGroups from "./0008-tokens-and-groups.ts";
import * as keySuccessions from "./0009-key-successions.ts";
import * as recordingRetention from "./0010-recording-retention.ts";
import * as auditStreams from "./0011-audit-streams.ts";
import * as sessionAssurance from "./0012-session-assurance.ts";
import * as certificateKeys from "./0013-certificate-keys.ts";
import * as sessionLists from "./0014-session-lists.ts";
import * as revocations from "./0015-revocations.ts";
import * as scim from "./0016-scim.ts";
import * as securityEvents from "./0017-security-events.ts";
import * as signInSessions from "./0018-sign-in-sessions.ts";
import * as signInGrants from "./0019-sign-in-grants.ts";
import * as revocationNames from "./0020-revocation-names.ts";

/** Every migration by name, in order. Released ones are never changed: add a file. */
export const MIGRATIONS: Record<string, Migration> = {
  "0001-initial": initial,
  "0002-grants": grants,
  "0003-host-facts": hostFacts,
  "0004-audit-log": auditLog,
  "0005-replicas": replicas,
  "0006-engagement-versions": engagementVersions,
  "0007-approvals": approvals,
  "0010-recording-retention": recordingRetention,
  "0008-tokens-and-groups": tokensAndGroups,
  "0009-key-successions": keySuccessions,
  "0011-audit-streams": auditStreams,
  "0012-session-assurance": sessionAssurance,
  "0013-certificate-keys": certificateKeys,
  "0014-session-lists": sessionLists,
  "0015-revocations": revocations,
  "0016-scim": scim,
  "0017-security-events": securityEvents,
  "0018-sign-in-sessions": signInSessions,
  "0019-sign-in-grants": signInGrants,
  "0020-revocation-names": revocationNames,
};
