import { createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { addCertificate } from "@sallyport/control-plane/database/certificates.ts";
import { memberByIdentity, pinIdentity, saveMember } from "@sallyport/control-plane/database/members.ts";
import { newId } from "@sallyport/control-plane/environment.ts";
import { RateLimit } from "@sallyport/control-plane/http/rate-limit.ts";
import { Issuer } from "@sallyport/control-plane/issuers/issuer-configuration.ts";
import { type ReceivingNeeds, receivePushed } from "@sallyport/control-plane/security-events/receive-set.ts";
import { transmittersOf } from "@sallyport/control-plane/security-events/transmitter.ts";
import type { Revocation } from "@sallyport/core/policy/revocation.ts";
import type { JSONWebKeySet } from "jose";
import { makeWorld, type World } from "./world.ts";

export const OWN = "https://idp.test";
export const OTHER = "https://other.test";
export const URL_HERE = "https://sallyport.test";
export const CAEP = "https://schemas.openid.net/secevent/caep/event-type/";
export const RISC = "https://schemas.openid.net/secevent/risc/event-type/";
export const SSF = "https://schemas.openid.net/secevent/ssf/event-type/";
export const SESSION_REVOKED = `${CAEP}session-revoked`;

/** Two IdPs that send SETs; dana is known at the first, otto at the second. */
export interface SetWorld extends World {
  needs: ReceivingNeeds;
  announced: Revocation[];
  asked: string[];
  keys: Record<"rsa" | "ec" | "others", { privateKey: KeyObject; publicKey: KeyObject }>;
  jwks: Record<string, JSONWebKeySet>;
  /** A SET of the first IdP that ends dana's sessions, but for what is changed; undefined leaves a member out. */
  set(claims?: Record<string, unknown>, header?: Record<string, unknown>): string;
  receive(compact: string, authorization?: string): Promise<void>;
  /** A certificate of somebody at the first IdP. */
  certificate(subject: string, signedInAt: number): Promise<void>;
}

let made: SetWorld["keys"] | undefined;

/** Made once: an RSA key takes a while. */
function testKeys(): SetWorld["keys"] {
  made ??= {
    rsa: generateKeyPairSync("rsa", { modulusLength: 2048 }),
    ec: generateKeyPairSync("ec", { namedCurve: "P-256" }),
    others: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  };
  return made;
}

export async function makeSetWorld(extra: object = {}): Promise<SetWorld> {
  const world = await makeWorld();
  const keys = testKeys();
  const jwk = (key: KeyObject, kid: string, alg: string) => ({
    ...(key.export({ format: "jwk" }) as { kty: string }),
    ...{ kid, alg, use: "sig" },
  });
  const jwks: Record<string, JSONWebKeySet> = {
    [OWN]: { keys: [jwk(keys.rsa.publicKey, "rsa", "RS256"), jwk(keys.ec.publicKey, "ec", "ES256")] },
    [OTHER]: { keys: [jwk(keys.others.publicKey, "others", "RS256")] },
  };
  const issuers = [OWN, OTHER].map((issuer) =>
    Issuer.parse({ name: "Test IdP", issuer, clientId: "sallyport-cli", securityEvents: extra }),
  );
  const announced: Revocation[] = [];
  const asked: string[] = [];
  const needs: ReceivingNeeds = {
    ...world,
    transmitters: transmittersOf(issuers, URL_HERE),
    keys: { keysFor: async ({ iss }) => ({ jwks: jwks[iss] ?? { keys: [] }, isFresh: true }) },
    hosts: {
      revoke: async (entries) => {
        announced.push(...entries);
        return [];
      },
    },
    checks: { checkNow: (issuer, subject) => asked.push(`${issuer} ${subject}`) },
    limit: new RateLimit(world.environment.clock, { perSecond: 1000, burst: 1000 }),
  };
  await person(world, "dana@vendor.test", OWN, "dana");
  await person(world, "otto@vendor.test", OTHER, "otto");
  const now = world.time.now;
  return {
    ...world,
    needs,
    announced,
    asked,
    keys,
    jwks,
    set: (claims = {}, header = {}) =>
      signed(
        { typ: "secevent+jwt", alg: "RS256", kid: "rsa", ...header },
        {
          ...{ iss: OWN, aud: URL_HERE, iat: now - 1, jti: "jti-1" },
          sub_id: { format: "iss_sub", iss: OWN, sub: "dana" },
          events: { [SESSION_REVOKED]: {} },
          ...claims,
        },
        keys.rsa.privateKey,
      ),
    receive: (compact, authorization) => receivePushed(needs, compact, authorization),
    certificate: async (subject, signedInAt) => {
      const member = await memberByIdentity(world.db, OWN, subject);
      const id = newId(world.environment, "evt");
      await addCertificate(world.db, {
        ...{ serial: id, member_id: member?.id ?? "", issuer: OWN, subject, key_fingerprint: id },
        ...{ signed_in_at: signedInAt, valid_after: 0, valid_before: 9, issued_at: signedInAt },
      });
    },
  };
}

async function person(
  { db, environment }: World,
  email: string,
  issuer: string,
  subject: string,
): Promise<void> {
  const id = newId(environment, "mem");
  await saveMember(db, { id, name: subject, email, vendor: "vendor", created_at: 0, account: null });
  await pinIdentity(db, { issuer, subject, member_id: id, pinned_at: 0 });
}

export const encode = (value: unknown): string =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

/** A compact JWS, whatever its header says; header and payload may be text that is no proper JSON. */
export function signed(header: unknown, payload: unknown, key: KeyObject | "none"): string {
  const input = `${encode(header)}.${encode(payload)}`;
  if (key === "none") return `${input}.`;
  if (key.type === "secret") return `${input}.${createHmac("sha256", key).update(input).digest("base64url")}`;
  const signature = sign("sha256", Buffer.from(input), { key, dsaEncoding: "ieee-p1363" });
  return `${input}.${signature.toString("base64url")}`;
}
