import { z } from "zod";

/*
 * What happened in a session beyond its bytes: frames of kind `event` in its recording, and host events for the audit log.
 */

/** Text that came from the contractor: shown only as `printable` has it. */
const Said = z.string().max(4096);

/** One command, one transferred file, one refusal. */
export const SessionEvent = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("command-started"),
    /** The whole line, as it was accepted. */
    line: Said,
    /** Of each program between pipes, the name of the rule that allowed it. */
    rules: z.array(z.string()),
    /** Whether the kernel holds it; `none` where it cannot, `sudo` where it runs as another. */
    confined: z.enum(["landlock", "none", "sudo"]),
  }),
  z.object({
    type: z.literal("command-ended"),
    line: Said,
    exitStatus: z.int().nullable(),
    signal: z.string().nullable(),
    /** Set where a limit ended it. */
    limit: z.enum(["time", "output"]).nullable(),
  }),
  z.object({
    type: z.literal("command-refused"),
    line: Said,
    code: z.string(),
    detail: Said,
  }),
  z.object({
    type: z.literal("file"),
    protocol: z.enum(["sftp", "legacy-scp", "rsync"]),
    operation: z.enum([
      ...(["read", "write", "remove", "rename", "make-directory", "remove-directory"] as const),
      ...(["link", "symlink", "set-attributes", "list"] as const),
    ]),
    path: Said,
    /** Where a rename or a link goes. */
    target: Said.nullable(),
    bytes: z.number().int().min(0).nullable(),
    /** Hexadecimal, of the whole content where it went past in order; null where it did not. */
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/)
      .nullable(),
    /** `ok`, or why not: `refused` by us, `failed` by the host. */
    result: z.enum(["ok", "refused", "failed"]),
    detail: Said,
  }),
]);
export type SessionEvent = z.infer<typeof SessionEvent>;
