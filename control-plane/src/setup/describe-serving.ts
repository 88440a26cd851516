import { join } from "node:path";
import type { CommandContext } from "../commands/command.ts";
import type { Configuration } from "../config/configuration.ts";
import { checkDatabaseUrl, describeDatabaseUrl } from "../database/postgres/database-url.ts";
import { objectsLocation } from "../objects/objects-url.ts";

/**
 * What a start with this configuration serves, in lines for people. Code `config-invalid` when `DATABASE_URL` or `SALLYPORT_OBJECTS`
 * cannot be used; secrets of these are not told.
 */
export function describeServing(
  config: Configuration,
  { databaseUrl, variables }: Pick<CommandContext, "databaseUrl" | "variables">,
): string[] {
  const { listen, tls, dataDirectory, issuers, staff, staffGroups, policyFile } = config;
  const objects = objectsLocation(variables);
  const rows: [string, string][] = [
    ["URL", config.url],
    [
      "listens on",
      `${listen.address} port ${listen.port}, ${tls === undefined ? "plain HTTP" : `HTTPS with ${tls.certFile}`}`,
    ],
    ...issuers.map(({ name, issuer, preset, clientId }): [string, string] => [
      "issuer",
      `${name}: ${issuer} (${preset}, client ${clientId})`,
    ]),
    [
      "staff",
      staff.length + staffGroups.length === 0 ? "nobody yet: see bootstrap-token" : staffText(config),
    ],
    [
      "database",
      databaseUrl === undefined
        ? `SQLite, ${join(dataDirectory, "sallyport.db")}`
        : `PostgreSQL, ${describeDatabaseUrl(checkDatabaseUrl(databaseUrl))}`,
    ],
    ["keys", join(dataDirectory, "keys")],
    [
      "recordings",
      objects === undefined
        ? join(dataDirectory, "recordings")
        : `${objects.endpoint}, below ${objects.prefix || "/"}`,
    ],
    ...(policyFile === undefined ? [] : [["policy file", policyFile] as [string, string]]),
  ];
  return rows.map(([name, value]) => `${name.padEnd(12)} ${value}`);
}

function staffText({ staff, staffGroups }: Configuration): string {
  const people = staff.map(
    ({ email, role, roles }) => `${email} (${[...(role ? [role] : []), ...roles].join(", ")})`,
  );
  const groups = staffGroups.map(({ group, role }) => `group ${group} (${role})`);
  const all = [...people, ...groups];
  return all.length <= 5 ? all.join(", ") : `${all.slice(0, 5).join(", ")} and ${all.length - 5} more`;
}
