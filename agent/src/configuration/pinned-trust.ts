import { Trust } from "@sallyport/core/messages/trust.ts";
import { HostName, Id } from "@sallyport/core/names.ts";
import { z } from "zod";
import { readYaml } from "./agent-config.ts";

/** `/etc/sallyport/trust.yaml`: what this host pinned when it enrolled, and who it is. */
export const PinnedTrust = z.strictObject({
  version: z.literal(1),
  host: z.strictObject({ id: Id, name: HostName }),
  trust: Trust,
});
export type PinnedTrust = z.infer<typeof PinnedTrust>;

/** Reads the pinned trust. Codes `config-missing`, `config-invalid`. */
export function readPinnedTrust(path: string): PinnedTrust {
  return readYaml(path, PinnedTrust);
}
