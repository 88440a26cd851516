import type { ProvenIdentity } from "@sallyport/core/admission/verify-identity.ts";
import type { ProcessIdentity } from "../kernel/processes.ts";

/** By what the processes of a login are known when its sshd is gone. */
export interface LoginMarks {
  /** Control group; null on a host without. */
  group: string | null;
  /** Audit session; null where the kernel or PAM gives none. */
  auditSession: number | null;
}

/** What the agent answered to one sshd connection last; a session is bound to it by process ancestry. */
export interface Login {
  /** The sshd process that asked: the privileged monitor of the connection. */
  monitor: ProcessIdentity;
  account: string;
  uid: number;
  sourceAddress: string | null;
  /** SHA-256 of the certificate that was judged, base64url. */
  certificateHash: string;
  /** Null where identity was not proven: then there is nothing a session could be bound to. */
  identity: ProvenIdentity | null;
  /** As whom, and under which engagement; null where it was refused. */
  admitted: { memberId: string; engagementId: string } | null;
  /** Forwarding of any kind is granted to it. */
  forwarding: boolean;
  /** Why it was refused and what the contractor is told; null where it was admitted. */
  refused: { code: string; told: string | null } | null;
  /** Seconds since the epoch. */
  decidedAt: number;
  /** By what its processes are known; null before its first session. */
  marks: LoginMarks | null;
}
