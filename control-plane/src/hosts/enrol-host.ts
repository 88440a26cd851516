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
import { newId, seconds } from "../environment.ts";
import { joinSecretHash } from "./join-token.ts";
import { type HostCertificateNeeds, hostNames, signHostCertificate } from "./sign-host-certificate.ts";

interface Needs extends HostCertificateNeeds {
  db: Database;
  /** A host that this enrolment replaces loses its connection. */
  disconnect(hostId: string): void;
}

/**
 * `POST /hosts`: enrols a host with a join token, once. A host of the same name is replaced: the token was made for that
 * name by somebody who may. Codes `unauthenticated`, `conflict`, `ssh-malformed`, `ssh-unsupported`.
 */
export async function enrolHost(needs: Needs, request: EnrolRequest): Promise<EnrolResponse> {
  const sshKeys = request.sshHostKeys.map((line) => parsePublicKeyLine(line));
  // Outside of the transaction: the host CA may be in an agent that takes its time. They are nobody's before the token is used.
  const promised = await joinTokenById(needs.db, request.tokenId);
  checkSecret(promised, request.secret);
  const hostCertificates: string[] = [];
  for (const key of sshKeys)
    hostCertificates.push(await signHostCertificate(needs, key, hostNames(promised)));
  const { response, replaced } = await inTransaction(needs.db, async (db) => {
    const token = await checkJoinToken(db, needs, request);
    const name = HostName.parse(token.name);
    const { hostId, replaced } = await storeHost(db, needs, token, request.hostKey);
    return { response: { v: 1 as const, hostId, hostName: name, hostCertificates }, replaced };
  });
  replaced.forEach(needs.disconnect);
  return response;
}

function checkSecret(token: JoinTokensTable | undefined, secret: string): asserts token is JoinTokensTable {
  const given = Buffer.from(joinSecretHash(secret));
  if (token === undefined || !timingSafeEqual(given, Buffer.from(token.secret_hash))) {
    throw new SallyportError(
      "unauthenticated",
      "This join token is not one of this control plane. Make a new one there.",
    );
  }
}

async function checkJoinToken(db: Database, needs: Needs, request: EnrolRequest): Promise<JoinTokensTable> {
  const now = seconds(needs.environment.clock);
  const token = await joinTokenById(db, request.tokenId);
  checkSecret(token, request.secret);
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
