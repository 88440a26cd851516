import { randomBytes } from "node:crypto";
import { identityTarget } from "@sallyport/core/policy/revocation.ts";
import { call } from "./client.ts";
import { patchOf, scimClient, USER_SCHEMA } from "./scim-client.ts";
import { SCIM_TOKEN, type StoppableWorld } from "./stoppable-world.ts";

const SESSION_REVOKED = "https://schemas.openid.net/secevent/caep/event-type/session-revoked";

/** What takes somebody's access away, to be sent as often as it takes. */
export interface Notice {
  /** As the revocation list has it. */
  target: string;
  /** True when the answer was yes; false where it was no, or there was none. */
  deliver(headers?: Record<string, string>): Promise<boolean>;
  /** Said again it is nothing new; what an administrator says again, is. */
  isIdempotent: boolean;
}

/** An IdP disables one of its users over SCIM. */
export async function disabledByScim(world: StoppableWorld): Promise<Notice> {
  const subject = await world.person();
  const idp = scimClient(world.plane.url, SCIM_TOKEN);
  const user = { schemas: [USER_SCHEMA], userName: subject, externalId: subject, active: true };
  const path = `/Users/${(await idp.request("POST", "/Users", { body: user })).body.id}`;
  const body = patchOf({ op: "replace", value: { active: false } });
  return {
    target: identityTarget(world.plane.idp.issuer, subject),
    deliver: (headers = {}) => isYes(idp.request("PATCH", path, { body, headers })),
    isIdempotent: true,
  };
}

/** An IdP pushes a SET: the same one each time. */
export async function securityEvent(world: StoppableWorld): Promise<Notice> {
  const { plane, transmitter } = world;
  const [iss, sub] = [plane.idp.issuer, await world.person()];
  const compact = await transmitter.set(
    { [SESSION_REVOKED]: {} },
    { sub_id: { format: "iss_sub", iss, sub } },
  );
  return {
    target: identityTarget(iss, sub),
    deliver: (headers) => isYes(transmitter.push(`${plane.url}/security-events`, compact, headers)),
    isIdempotent: true,
  };
}

/** An administrator revokes a key. */
export async function byAdministrator({ plane, token }: StoppableWorld): Promise<Notice> {
  const target = `SHA256:${randomBytes(32).toString("base64").slice(0, 43)}`;
  const body = { level: "key", target, reason: "test" };
  return {
    target,
    deliver: (headers = {}) => isYes(call(plane.url, "POST", "/revocations", { token, body, headers })),
    isIdempotent: false,
  };
}

function isYes(answer: Promise<{ status: number }>): Promise<boolean> {
  return answer.then(
    ({ status }) => status < 300,
    () => false,
  );
}
