import { addCertificate } from "@sallyport/control-plane/database/certificates.ts";
import { listMembers, pinIdentity } from "@sallyport/control-plane/database/members.ts";
import { revocationOf } from "@sallyport/control-plane/database/revocations.ts";
import { newId } from "@sallyport/control-plane/environment.ts";
import { applyPolicy } from "@sallyport/control-plane/policy/apply-policy.ts";
import { liftRevocation } from "@sallyport/control-plane/revocations/lift.ts";
import { type RevocationNeeds, revoke } from "@sallyport/control-plane/revocations/revoke.ts";
import type { Revocation, RevocationLevel } from "@sallyport/core/policy/revocation.ts";
import { makeWorld, type World } from "./world.ts";

export const ISSUER = "https://idp.test";
export const OTHER_ISSUER = "https://other.test";

const POLICY = `version: 1
members:
  - { name: Dana Doe, email: dana@vendor.test, vendor: vendor }
  - { name: Rita Rival, email: rita@rival.test, vendor: rival }
engagements:
  - name: web-work
    vendor: vendor
    members: [dana@vendor.test]
    hosts: { names: [web-1] }
    accounts: [deploy]
    start: 2026-01-01
    end: 2090-01-01
    contact: sec@acme.test
`;

/** A world with members of two vendors, one of them with identities at two IdPs, in which things are revoked and lifted. */
export interface RevocationWorld extends World {
  needs: RevocationNeeds;
  dana: string;
  rita: string;
  announced: Revocation[];
  revoke(level: RevocationLevel, target: string, signInsOnly?: boolean): ReturnType<typeof revoke>;
  lift(level: RevocationLevel, target: string): ReturnType<typeof liftRevocation>;
  /** A sign-in that somebody has a certificate of; `ahead`: by how many seconds the IdP's clock is. */
  signIn(who: Partial<Who>, ahead?: number): Promise<void>;
  /** The level that a sign-in of this moment is refused by, or undefined. */
  refused(who: Partial<Who>, signedInAt?: number): Promise<RevocationLevel | undefined>;
}

interface Who {
  memberId: string;
  vendor: string;
  issuer: string;
  subject: string;
}

export async function revocationWorld(): Promise<RevocationWorld> {
  const world = await makeWorld();
  const { db, environment, time } = world;
  await applyPolicy(db, environment, { text: POLICY, file: "p" });
  const members = await listMembers(db);
  const idOf = (email: string) => members.find((member) => member.email === email)?.id ?? "";
  const [dana, rita] = [idOf("dana@vendor.test"), idOf("rita@rival.test")];
  const pin = (issuer: string, subject: string, member_id: string) =>
    pinIdentity(db, { issuer, subject, member_id, pinned_at: time.now });
  await pin(ISSUER, "dana", dana);
  await pin(OTHER_ISSUER, "d-4711", dana);
  await pin(ISSUER, "rita", rita);
  const announced: Revocation[] = [];
  const needs: RevocationNeeds = {
    ...{ db, environment },
    config: { issuers: [{ issuer: ISSUER, aliases: ["https://old.idp.test"] }] },
    hosts: {
      connected: async () => new Set(),
      revoke: async (entries) => {
        announced.push(...entries);
        return [];
      },
      publishBundles: async () => {},
    },
  };
  const whoIs = (who: Partial<Who>): Who => ({
    ...{ memberId: dana, vendor: "vendor", issuer: ISSUER, subject: "dana" },
    ...who,
  });
  return {
    ...world,
    ...{ needs, dana, rita, announced },
    revoke: (level, target, signInsOnly = false) =>
      revoke(needs, { level, target, reason: "why", signInsOnly }, "sec"),
    lift: (level, target) => liftRevocation(needs, { level, target, reason: "back again" }, "sec"),
    signIn: async (who, ahead = 0) => {
      const { memberId: member_id, issuer, subject } = whoIs(who);
      const now = time.now;
      await addCertificate(db, {
        ...{ serial: newId(environment, "evt"), member_id, issuer, subject, key_fingerprint: "k" },
        ...{ signed_in_at: now + ahead, valid_after: now, valid_before: now + 3600, issued_at: now },
      });
    },
    refused: async (who, signedInAt = time.now) => {
      const { memberId, vendor, issuer, subject } = whoIs(who);
      const identity = { issuer, subject, memberId, vendors: [vendor], signedInAt };
      return (await revocationOf(db, identity))?.level;
    },
  };
}
