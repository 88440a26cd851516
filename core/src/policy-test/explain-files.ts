import type { FileGrant } from "../files/file-grant.ts";

const NAMES = { sftp: "SFTP (sftp, scp, sshfs)", "legacy-scp": "scp -O", rsync: "rsync" } as const;
const ACCESS = { read: "get from", write: "put into", "read-write": "get from and put into" } as const;

/** What files may be moved, as a clause. */
export function explainFiles({ protocols, directories }: FileGrant): string {
  const list = directories.map(({ path, access, maxFileSize }) => {
    const size = maxFileSize === null || access === "read" ? "" : ` (files of at most ${maxFileSize} bytes)`;
    return `${ACCESS[access]} ${path}${size}`;
  });
  return `${list.join("; ")}; by ${protocols.map((one) => NAMES[one]).join(", ")}`;
}
