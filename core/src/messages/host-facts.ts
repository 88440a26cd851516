import { z } from "zod";
import { DisplayText } from "../names.ts";

const Text = DisplayText.max(200);

/** What a host says of itself with a heartbeat, for people to look at. Nothing is decided by it. */
export const HostFacts = z.strictObject({
  /** Name and version of the distribution: `Debian GNU/Linux 12`. */
  os: Text,
  kernel: Text,
  architecture: Text,
  agentVersion: Text,
  /** As `sshd -V` says it; empty where it could not be asked. */
  sshdVersion: Text,
  cpus: z.int().min(0).max(65_536),
  cpuModel: Text,
  memoryBytes: z.int().min(0),
  /** Seconds since the epoch. */
  bootedAt: z.int().min(0),
  /** Kind of virtual machine or container; empty on bare metal. */
  virtualisation: Text,
  /** Addresses of the network interfaces, loopback not included. */
  addresses: z.array(z.string().max(64)).max(64),
});
export type HostFacts = z.infer<typeof HostFacts>;
