import { KeyKind } from "@sallyport/core/messages/key-succession.ts";
import { Trust } from "@sallyport/core/messages/trust.ts";
import { HostName, Id } from "@sallyport/core/names.ts";
import { z } from "zod";
import { readYaml } from "./agent-config.ts";

/** `/etc/sallyport/trust.yaml`: what this host pinned when it enrolled, the keys that followed those, and who it is. */
export const PinnedTrust = z.strictObject({
  version: z.literal(1),
  host: z.strictObject({ id: Id, name: HostName }),
  trust: Trust,
  /** Which pinned key has named which as its successor; a key has one. OpenSSH's lines, without comments. */
  successions: z
    .array(z.strictObject({ kind: KeyKind, old: z.string().max(4096), new: z.string().max(4096) }))
    .max(1000)
    .optional(),
});
export type PinnedTrust = z.infer<typeof PinnedTrust>;

/** Reads the pinned trust. Codes `config-missing`, `config-invalid`. */
export function readPinnedTrust(path: string): PinnedTrust {
  return readYaml(path, PinnedTrust);
}
