import { timingSafeEqual } from "node:crypto";
import { SallyportError } from "@sallyport/core/errors.ts";
import type { EnrolRequest, EnrolResponse } from "@sallyport/core/messages/enrolment.ts";
import { HostName } from "@sallyport/core/names.ts";
import { parsePublicKeyLine } from "@sallyport/core/ssh/public-key.ts";
import { audit } from "../audit/audit.ts";
import { addHost, isHostKeyTaken } from "../database/hosts.ts";
import { joinTokenById, useJoinToken } from "../database/join-tokens.ts";
import { inTransaction } from "../database/open-database.ts";
import type { Database, JoinTokensTable } from "../database/tables.ts";
import { type Environment, newId, seconds } from "../environment.ts";
import type { Keys } from "../keys/keys.ts";
import { joinSecretHash } from "./join-token.ts";
import { signHostCertificate } from "./sign-host-certificate.ts";

interface Needs {
  db: Database;
  environment: Pick<Environment, "clock" | "random">;
  keys: Pick<Keys, "hostCa">;
  /** A host that this enrolment replaces loses its connection. */
  disconnect(hostId: string): void;
}

/**
 * `POST /hosts`: enrols a host with a join token, once. A host of the same name is replaced: the token was made for that
 * name by somebody who may. Codes `unauthenticated`, `conflict`, `ssh-malformed`, `ssh-unsupported`.
 */
export async function enrolHost(needs: Needs, request: EnrolRequest): Promise<EnrolResponse> {
  const sshKeys = request.sshHostKeys.map((line) => parsePublicKeyLine(line));
  const { response, replaced } = await inTransaction(needs.db, async (db) => {
    const token = await checkJoinToken(db, needs, request);
    const name = HostName.parse(token.name);
    const hostCertificates = sshKeys.map((key) => signHostCertificate(needs, key, [name, token.address]));
    const { hostId, replaced } = await storeHost(db, needs, token, request.hostKey);
    return { response: { v: 1 as const, hostId, hostName: name, hostCertificates }, replaced };
  });
  replaced.forEach(needs.disconnect);
  return response;
}

async function checkJoinToken(db: Database, needs: Needs, request: EnrolRequest): Promise<JoinTokensTable> {
  const now = seconds(needs.environment.clock);
  const token = await joinTokenById(db, request.tokenId);
  const given = Buffer.from(joinSecretHash(request.secret));
  if (token === undefined || !timingSafeEqual(given, Buffer.from(token.secret_hash))) {
    throw new SallyportError(
      "unauthenticated",
      "This join token is not one of this control plane. Make a new one there.",
    );
  }
  if (token.expires_at <= now) {
    throw new SallyportError(
      "unauthenticated",
      "This join token is older than 24 hours. Make a new one on the control plane.",
    );
  }
  if (!(await useJoinToken(db, token.id, now))) {
    throw new SallyportError(
      "conflict",
      "This join token was used already. Make a new one on the control plane.",
    );
  }
  return token;
}

async function storeHost(db: Database, needs: Needs, token: JoinTokensTable, hostKey: string) {
  if (await isHostKeyTaken(db, hostKey)) {
    throw new SallyportError(
      "conflict",
      "This host key is enrolled already. Remove the host's key file and enrol again.",
    );
  }
  const hostId = newId(needs.environment, "hst");
  const { replaced } = await addHost(db, {
    id: hostId,
    name: token.name,
    address: token.address,
    port: token.port,
    labels_json: token.labels_json,
    host_key: hostKey,
    enrolled_at: seconds(needs.environment.clock),
  });
  const data = { host: token.name, joinToken: token.id, replaced };
  await audit(db, needs.environment, { type: "host-enrolled", actor: hostId, data });
  return { hostId, replaced };
}
