import { z } from "zod";
import { HostName, Id } from "../names.ts";

/** `POST /api/v1/hosts`: a host enrols with a join token, once. */
export const EnrolRequest = z.strictObject({
  v: z.literal(1),
  tokenId: z.string().max(64),
  secret: z.string().max(64),
  /** The host's own Ed25519 key (JWK `x`): it signs in with it and signs recordings with it. */
  hostKey: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  /** sshd's public host keys, one line each, to be certified by the host CA. */
  sshHostKeys: z.array(z.string().max(4096)).min(1).max(10),
});
export type EnrolRequest = z.infer<typeof EnrolRequest>;

export const EnrolResponse = z.strictObject({
  v: z.literal(1),
  hostId: Id,
  hostName: HostName,
  /** Host certificates in the order of `sshHostKeys`. */
  hostCertificates: z.array(z.string().max(8192)),
});
export type EnrolResponse = z.infer<typeof EnrolResponse>;
