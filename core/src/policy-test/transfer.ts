import type { FileProtocol } from "../files/file-grant.ts";

/** The way of moving files that a command on the host is the far end of; null for any other command. */
export function transferOf(words: readonly string[]): FileProtocol | null {
  const [program = "", ...args] = words;
  const name = program.slice(program.lastIndexOf("/") + 1);
  if (name === "sftp-server" || name === "internal-sftp") return "sftp";
  if (name === "rsync" && args[0] === "--server") return "rsync";
  if (name === "scp" && args.some((arg) => /^-[a-z]*[tf]/.test(arg))) return "legacy-scp";
  return null;
}
