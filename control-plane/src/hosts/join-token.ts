import { createHash } from "node:crypto";
import { formatJoinToken, trustHash } from "@sallyport/core/messages/trust.ts";
import { HostName, ShortName } from "@sallyport/core/names.ts";
import { z } from "zod";
import { audit } from "../audit/audit.ts";
import type { Configuration } from "../config/configuration.ts";
import { addJoinToken } from "../database/join-tokens.ts";
import { inTransaction } from "../database/open-database.ts";
import type { Database } from "../database/tables.ts";
import { type Environment, newId, randomToken, seconds } from "../environment.ts";
import type { Keys } from "../keys/keys.ts";
import { trustDocument } from "../keys/trust.ts";

const LIFETIME = 24 * 3600;

/** The host that a join token is for. */
export const JoinTokenRequest = z.strictObject({
  name: HostName,
  /** Where clients reach its sshd. */
  address: z
    .string()
    .max(253)
    .regex(/^[A-Za-z0-9.:_-]+$/, "an address is an IP address or a host name"),
  port: z.int().min(1).max(65535).default(22),
  labels: z.record(ShortName, z.string().max(128)).default({}),
});
export type JoinTokenRequest = z.infer<typeof JoinTokenRequest>;

interface Needs {
  db: Database;
  environment: Pick<Environment, "clock" | "random">;
  config: Pick<Configuration, "url" | "issuers">;
  keys: Keys;
}

/** Makes a join token: good once, for 24 hours, for a host of this name. Only its hash is stored. */
export async function makeJoinToken(needs: Needs, host: JoinTokenRequest, by: string): Promise<string> {
  const { environment } = needs;
  const id = newId(environment, "jtk");
  const secret = randomToken(environment.random, 32);
  const now = seconds(environment.clock);
  await inTransaction(needs.db, async (db) => {
    await addJoinToken(db, {
      id,
      secret_hash: joinSecretHash(secret),
      name: host.name,
      address: host.address,
      port: host.port,
      labels_json: JSON.stringify(host.labels),
      created_by: by,
      created_at: now,
      expires_at: now + LIFETIME,
    });
    await audit(db, environment, { type: "join-token-made", actor: by, data: { id, ...host } });
  });
  const hash = trustHash(trustDocument(needs.config, needs.keys));
  return formatJoinToken({ v: 1, server: needs.config.url, id, secret, trustHash: hash });
}

/** The form in which a join token's secret is stored. */
export function joinSecretHash(secret: string): string {
  return createHash("sha256").update(secret).digest("base64url");
}
