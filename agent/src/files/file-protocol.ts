import type { FileProtocol } from "@sallyport/core/files/file-grant.ts";

/** What the distributions call sshd's SFTP subsystem: sshd gives such a command for it (session.c, subsystem_request). */
export const SFTP_SERVERS: readonly string[] = [
  "/usr/lib/openssh/sftp-server",
  "/usr/lib/sftp-server",
  "/usr/lib/ssh/sftp-server",
  "/usr/libexec/openssh/sftp-server",
  "/usr/libexec/sftp-server",
  "internal-sftp",
];

/**
 * Which way of moving files a requested command is: one of `sftpServer` with nothing behind it (its flags could change what
 * it does), scp(1)'s own command on the far side (`scp -t`, `scp -f`), or rsync(1)'s (`rsync --server`). Null: none of them.
 * It says only who is to judge the command, not that it is allowed.
 */
export function fileProtocolOf(command: string, sftpServer: readonly string[]): FileProtocol | null {
  if (sftpServer.includes(command)) return "sftp";
  const [program = "", ...words] = command.split(" ").filter((word) => word !== "");
  if (program === "scp" || program === "/usr/bin/scp") return isScpServer(words) ? "legacy-scp" : null;
  if (program === "rsync" || program === "/usr/bin/rsync") return words[0] === "--server" ? "rsync" : null;
  return null;
}

/** `-t` (to) or `-f` (from) among the flags before the first path; they may be joined, as in `-rt`. */
function isScpServer(words: readonly string[]): boolean {
  for (const word of words) {
    if (word === "--" || !word.startsWith("-")) return false;
    if (/^-[A-Za-z]*[tf]/.test(word)) return true;
  }
  return false;
}
