import { z } from "zod";
import { AbsolutePath } from "../commands/command-rule.ts";

/** Ways to move files. `sftp` is also what scp(1), sshfs and most programs with windows speak today. */
export const FileProtocol = z.enum(["sftp", "legacy-scp", "rsync"]);
export type FileProtocol = z.infer<typeof FileProtocol>;

/** A directory and what may be done with what is in it, after symbolic links. */
export const FileDirectory = z.strictObject({
  /** Absolute, or `~` and what is under it: the account's home. */
  path: z.union([AbsolutePath, z.string().regex(/^~(\/[^/\p{Cc}]+)*$/u)]),
  /** `read`: list and get; `write`: list, put, make, rename and remove; `read-write`: both. */
  access: z.enum(["read", "write", "read-write"]).default("read"),
  /** Largest file in bytes that may be put there, or null. */
  maxFileSize: z
    .int()
    .min(0)
    .max(2 ** 50)
    .nullable()
    .default(null),
});
export type FileDirectory = z.infer<typeof FileDirectory>;

/** What an engagement lets be moved: in `files` mode, and in `commands` mode where it has this too. */
export const FileGrant = z.strictObject({
  protocols: z.array(FileProtocol).min(1).max(3).default(["sftp"]),
  directories: z.array(FileDirectory).min(1).max(200),
});
export type FileGrant = z.infer<typeof FileGrant>;

/** The directory that counts for a path after symbolic links: the longest that holds it. `home` stands for `~`. */
export function directoryOf(grant: FileGrant, path: string, home: string): FileDirectory | undefined {
  const absolute = ({ path }: FileDirectory) =>
    path === "~" ? home : path.startsWith("~/") ? home + path.slice(1) : path;
  const holds = (directory: string) =>
    directory === "/" || path === directory || path.startsWith(`${directory}/`);
  return grant.directories
    .filter((directory) => holds(absolute(directory)))
    .reduce<FileDirectory | undefined>(
      (best, one) => (best === undefined || absolute(one).length > absolute(best).length ? one : best),
      undefined,
    );
}
