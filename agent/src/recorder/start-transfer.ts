import { confineFiles, landlockAbi } from "../confinement/confine.ts";
import { type FileSurroundings, heldGrant, settleGrants } from "../files/file-access.ts";
import { SFTP_SERVERS } from "../files/file-protocol.ts";
import { prepareTransfer } from "../files/prepare-transfer.ts";
import { realPath } from "../files/real-path.ts";
import { SftpFilter } from "../files/sftp/sftp-filter.ts";
import type { FilterOutputs } from "../files/stream-filter.ts";
import { cleanEnvironment } from "./command-start.ts";
import { fileExplanation, fileRefusalText } from "./file-refusals.ts";
import { FilesSession, type Transfer } from "./files-session.ts";
import { hostFiles } from "./host-files.ts";
import { type Opening, refusedEvent } from "./opening.ts";
import { refusedSession } from "./refused-sftp-session.ts";
import type { Session, SessionContext } from "./session.ts";

/** What runs, and within what. */
type Prepared = Pick<Transfer, "filter"> & {
  program: string;
  /** A program that starts it, if not the shim. */
  starter?: string;
  argv: string[];
  confine: Parameters<typeof heldGrant>[0][];
};

/** The session of a transfer whose protocol is granted: it moves files, or says why not. */
export function startTransfer(
  context: SessionContext,
  { protocol, grant }: Extract<Opening, { kind: "files" }>,
): Session {
  const { ticket } = context;
  const line = Buffer.from(ticket.command ?? "", "base64").toString();
  const around = { home: ticket.home, real: (path: string) => realPath(path) };
  const grants = settleGrants(grant.files);
  const refusals = {
    host: ticket.live.start.host.name,
    engagement: grant.engagement,
    contact: grant.contact,
    grants: grant.files,
  };
  const abi = landlockAbi();
  const prepared =
    protocol === "sftp"
      ? sftp(line, grants, { ...around, explanation: fileExplanation(refusals) })
      : other(protocol, line, grants, around, abi);
  if (typeof prepared === "string") {
    const event = refusedEvent(line, { code: "transfer-not-allowed", detail: prepared });
    return refusedSession(context, event, fileRefusalText(prepared, refusals));
  }
  const { program, starter, argv, confine, filter } = prepared;
  const { home } = ticket;
  const confined = confine.map((one) =>
    confineFiles({ program, ...(starter && { starter }), grant: heldGrant(one, around), home, abi }),
  );
  return new FilesSession(context, {
    protocol,
    stage: {
      file: starter ?? program,
      arguments: argv,
      directory: home,
      noNewPrivileges: true,
      layers: confined.flatMap(({ layers }) => layers),
    },
    environment: cleanEnvironment({ account: ticket.live.start.account, home, terminal: null }),
    filter,
    refusals,
  });
}

/** The server that sshd was asked for, or, where that is sshd itself, the one that is installed. */
function sftp(
  line: string,
  grants: Prepared["confine"],
  around: FileSurroundings & { explanation: string },
): Prepared | string {
  const program = [line, ...SFTP_SERVERS].find(
    (path) => path.startsWith("/") && hostFiles.program(path) !== null,
  );
  if (program === undefined) return "There is no SFTP server on this host.";
  return {
    program,
    argv: [program],
    confine: grants,
    filter: (outputs) => new SftpFilter(outputs, grants, around),
  };
}

function other(
  protocol: "legacy-scp" | "rsync",
  line: string,
  grants: Prepared["confine"],
  around: FileSurroundings,
  abi: number,
): Prepared | string {
  const prepared = prepareTransfer(protocol, line, grants, around);
  if ("detail" in prepared) return prepared.detail;
  const program = hostFiles.program(prepared.program);
  if (program === null) return `There is no ${prepared.program} on this host.`;
  if (prepared.needsConfinement && abi === 0)
    return "This host's kernel cannot hold such a transfer to the directories that are granted.";
  const { largestFile, confine, filter } = prepared;
  const made = { program, confine: [confine], filter: (outputs: FilterOutputs) => filter(outputs) };
  if (largestFile === null) return { ...made, argv: prepared.argv };
  const starter = hostFiles.program("prlimit");
  if (starter === null)
    return "This host has no prlimit, which holds a transfer to the size that is granted.";
  const limited = ["prlimit", `--fsize=${largestFile}:${largestFile}`, "--", program];
  return { ...made, starter, argv: [...limited, ...prepared.argv.slice(1)] };
}
