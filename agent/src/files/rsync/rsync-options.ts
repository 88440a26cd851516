/*
 * The options that rsync's client sends to its server side (rsync(1); options.c, server_options), each with the reason why
 * it is allowed, or what it would open. What is not here is refused. rrsync(1), which comes with rsync, allows more.
 */

/** What a value has to be. A directory is checked like the path of the transfer. */
export type RsyncValue = "number" | "size" | "word" | "name" | "stream" | "log-format" | "directory";

export interface RsyncOption {
  /** Null for an option without a value. */
  value: RsyncValue | null;
  /** Refused where the host only sends, because it changes what is there. */
  changes?: true;
}

const flag: RsyncOption = { value: null };
const changing: RsyncOption = { value: null, changes: true };

export const LONG_OPTIONS: ReadonlyMap<string, RsyncOption> = new Map(
  Object.entries({
    // What is compared and how it travels: no path, no program.
    "block-size": { value: "number" },
    bwlimit: { value: "size" },
    "checksum-choice": { value: "word" },
    "checksum-seed": { value: "number" },
    "compress-choice": { value: "word" },
    "compress-level": { value: "number" },
    "ignore-times": flag,
    "modify-window": { value: "number" },
    "new-compress": flag,
    "no-W": flag,
    "old-compress": flag,
    "size-only": flag,
    "skip-compress": { value: "word" },
    timeout: { value: "number" },
    "use-qsort": flag,
    // Which files of the tree: only ever fewer.
    dirs: flag,
    existing: flag,
    "ignore-existing": flag,
    "ignore-missing-args": flag,
    "list-only": flag,
    "max-size": { value: "size" },
    "min-size": { value: "size" },
    "no-implied-dirs": flag,
    "no-r": flag,
    "no-relative": flag,
    "one-file-system": flag,
    "safe-links": flag,
    // Names in the stream alone: rsync cleans them of `..` and of a leading slash.
    "files-from": { value: "stream" },
    from0: flag,
    // How a file is written where it may be written.
    append: changing,
    fsync: changing,
    fuzzy: changing,
    inplace: changing,
    mkpath: changing,
    "numeric-ids": flag,
    "open-noatime": flag,
    partial: changing,
    preallocate: changing,
    "no-specials": flag,
    specials: flag,
    suffix: { value: "name", changes: true },
    // Beside the destination, in a directory of this name; or one that is granted.
    "backup-dir": { value: "directory", changes: true },
    "compare-dest": { value: "directory", changes: true },
    "copy-dest": { value: "directory", changes: true },
    "link-dest": { value: "directory", changes: true },
    "partial-dir": { value: "directory", changes: true },
    "temp-dir": { value: "directory", changes: true },
    // Removing is writing.
    delete: changing,
    "delete-after": changing,
    "delete-before": changing,
    "delete-delay": changing,
    "delete-during": changing,
    "delete-excluded": changing,
    "delete-missing-args": changing,
    force: changing,
    "ignore-errors": flag,
    "max-delete": { value: "number", changes: true },
    // What the client wants to hear.
    "log-format": { value: "log-format" },
    info: { value: "word" },
    stats: flag,
  } satisfies Record<string, RsyncOption>),
);

/** Refused with their own sentence, because people do use them. */
export const REFUSED_OPTIONS: ReadonlyMap<string, string> = new Map([
  ["secluded-args", "it hides the paths; rsync since 3.2.4 protects them without it"],
  ["protect-args", "it hides the paths; rsync since 3.2.4 protects them without it"],
  ["copy-unsafe-links", "symbolic links are copied as links here"],
  ["copy-links", "symbolic links are copied as links here"],
  ["copy-dirlinks", "symbolic links are copied as links here"],
  ["keep-dirlinks", "symbolic links are not followed here"],
  ["remove-source-files", "what is sent stays; remove files by sftp"],
  ["remove-sent-files", "what is sent stays; remove files by sftp"],
  ["delay-updates", "files are put in place one by one here, so that each is recorded"],
  ["rsh", "the host starts no program for a transfer"],
  ["rsync-path", "the host starts no program for a transfer"],
  ["daemon", "no daemon is started here"],
  ["config", "no daemon is started here"],
  ["log-file", "the host keeps this record itself"],
  ["log-file-format", "the host keeps this record itself"],
  ["write-batch", "it writes a file outside of the transfer"],
  ["only-write-batch", "it writes a file outside of the transfer"],
  ["read-batch", "it reads a file outside of the transfer"],
  ["super", "the account's own rights are what counts"],
  ["fake-super", "the account's own rights are what counts"],
  ["usermap", "files belong to the account"],
  ["groupmap", "files belong to the account"],
  ["chown", "files belong to the account"],
  ["iconv", "names are recorded as they are"],
  ["munge-links", "links that lead out of the transfer are left out instead"],
  ["debug", "it tells of more than the transfer"],
  ["max-alloc", "the host's own bound holds"],
  ["write-devices", "devices are not written here"],
  ["copy-devices", "devices are not read here"],
  ["insecure-links", "symbolic links are not followed here"],
]);

/**
 * Letters that may stand in the bundle, as `-vlogDtpre.iLsfxCIvu`. Not there: `s` hides the paths; `L`, `k` and `K` follow
 * symbolic links, whose ends the kernel does not hide: it refuses what is in a file, not its name and size.
 */
export const SHORT_OPTIONS: ReadonlySet<string> = new Set("ACDEHIJNORSUWXbcdglmnopqrtuvxyz");

export const REFUSED_LETTERS: ReadonlyMap<string, string> = new Map([
  ["s", "secluded-args"],
  ["L", "copy-links"],
  ["k", "copy-dirlinks"],
  ["K", "keep-dirlinks"],
]);
