import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { type HostMessage, helloStatement } from "@sallyport/core/messages/host-link.ts";
import type { Host } from "../../database/hosts.ts";
import { CloseCode } from "./close-codes.ts";

/** What a host says when it signs in. */
export type Hello = Extract<HostMessage, { type: "hello" }>;

/** Far above any version that we ever reach; numbers beyond would not fit the database. */
const MAX_VERSION = 2 ** 40;

/** Why a link is closed instead of opened. */
export interface RefusedHello {
  code: number;
  reason: string;
}

/** The public key of a host, from the JWK `x` that it enrolled with. */
export function hostPublicKey(x: string): KeyObject {
  return createPublicKey({ format: "jwk", key: { kty: "OKP", crv: "Ed25519", x } });
}

/** Checks a host's sign-in: known, not removed, signed by its key for this server and this very challenge. */
export function checkHello(
  hello: Hello,
  host: Host | undefined,
  server: string,
  nonce: string,
): RefusedHello | undefined {
  if (host === undefined || host.removed) {
    return {
      code: CloseCode.unknownHost,
      reason: "this host is not enrolled here, or was replaced: enrol it again",
    };
  }
  const statement = helloStatement(server, hello.hostId, nonce);
  if (!verify(null, statement, hostPublicKey(host.hostKey), Buffer.from(hello.signature, "base64url"))) {
    return { code: CloseCode.unauthenticated, reason: "the signature is not one of this host's key" };
  }
  if (hello.bundleVersion > MAX_VERSION || hello.revocationSequence > MAX_VERSION) {
    return { code: CloseCode.malformed, reason: "no bundle has this version" };
  }
  return undefined;
}
