import { readdirSync, type Stats, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { keyFiles } from "../../enrolment/sshd-drop-in.ts";
import { check, type ExaminedHost, error, type Found, ok, warning } from "../check.ts";

/** A file, what it may at most allow, and what goes wrong when it allows more. */
interface Expectation {
  path: string;
  /** Mode bits that may be set; more is wrong. */
  mode: number;
  /** What somebody could do with more. */
  why: string;
  /** It need not be there: another check says whether that is right. */
  optional?: boolean;
}

const WRITABLE = 0o022;

/** Modes and owners of what Sallyport relies on. */
export const filesCheck = check("files", (host) => {
  const expectations = expected(host);
  const found = [
    ...expectations.flatMap(judge),
    ...parents([host.config.shim, host.config.trustFile, host.config.sshdDropIn]),
  ];
  if (found.length > 0) return found;
  return [ok(`owners and modes of ${expectations.length} files are right`)];
});

function expected({ config, configFile, paths, status }: ExaminedHost): Expectation[] {
  const admission = "Whoever can write it decides who gets in.";
  return [
    {
      path: config.shim,
      mode: 0o711,
      why: "Whoever can write it takes every session over; an account that can read it can also trace it, and so get round the recorder.",
    },
    { path: config.trustFile, mode: 0o600, why: admission, optional: true },
    {
      path: configFile,
      mode: 0o644,
      why: "Whoever can write it can switch off what the agent guards.",
      optional: true,
    },
    { path: config.sshdDropIn, mode: 0o644, why: admission, optional: true },
    { path: keyFiles(config).userCaKeys, mode: 0o644, why: admission, optional: true },
    {
      path: keyFiles(config).revokedKeys,
      mode: 0o644,
      why: "What is revoked of keys and certificates stands in it; while sshd cannot read it, it takes nobody's key.",
      optional: true,
    },
    { path: config.stateDirectory, mode: 0o700, why: "Recordings and keys are in there.", optional: true },
    {
      path: paths.hostKey,
      mode: 0o600,
      why: "Whoever can read it can make recordings up that verify.",
      optional: true,
    },
    { path: paths.spool, mode: 0o700, why: "Recordings are in there.", optional: true },
    {
      path: paths.run,
      mode: 0o755,
      why: "Whoever can write there can put a socket of their own in the agent's place.",
      optional: true,
    },
    {
      path: paths.privateRun,
      mode: 0o700,
      why: "Recorders take orders on a socket in there.",
      optional: true,
    },
    { path: paths.controlSocket, mode: 0o600, why: "Recorders take orders on it.", optional: true },
    { path: paths.statusSocket, mode: 0o600, why: "It tells who is logged in.", optional: true },
    { path: paths.metricsSocket, mode: 0o660, why: "It tells how much goes on here.", optional: true },
    ...(status === null ? [] : sockets(paths.run, [paths.principalsSocket, paths.sessionSocket])),
  ];
}

/** Every account's shim must be able to connect to these; who it is, the kernel says. */
function sockets(run: string, always: string[]): Expectation[] {
  const recorders = readdirSync(run).filter((name) => /^recorder-.*\.sock$/.test(name));
  return [...always, ...recorders.map((name) => join(run, name))].map((path) => {
    return { path, mode: 0o777, why: "Without it no login can be decided or recorded." };
  });
}

function judge({ path, mode, why, optional }: Expectation): Found[] {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return optional ? [] : [missing(path)];
  if (stat.uid !== 0)
    return [error(`${path} belongs to uid ${stat.uid}, not to root`, why, `chown root:root ${path}`)];
  const excess = stat.mode & 0o777 & ~mode;
  if (excess === 0) return [];
  const what = `${path} has mode ${octal(stat.mode & 0o777)}, and should have at most ${octal(mode)}`;
  const fix = `chmod ${octal(mode)} ${path}`;
  return [
    (excess & WRITABLE) !== 0 || path.endsWith(".key") ? error(what, why, fix) : warning(what, why, fix),
  ];
}

function missing(path: string): Found {
  const why = "Without it sshd can start no session of a contractor.";
  return error(
    `${path} is missing`,
    why,
    "Install the package anew, or see docs/operating/hosts.md: A host, by hand",
  );
}

/** sshd itself refuses a command below a directory that others may write to. */
function parents(paths: readonly string[]): Found[] {
  const directories = new Set<string>();
  for (const path of paths)
    for (let above = dirname(path); above !== "/"; above = dirname(above)) directories.add(above);
  return [...directories].flatMap((directory) => {
    const stat = statSync(directory, { throwIfNoEntry: false });
    if (stat === undefined || isRoots(stat)) return [];
    return [
      error(
        `${directory} can be written to by others than root`,
        "Whoever can write there can replace what Sallyport and sshd rely on; sshd refuses to run the shim from there.",
        `chown root:root ${directory} && chmod go-w ${directory}`,
      ),
    ];
  });
}

function isRoots({ uid, mode }: Stats): boolean {
  return uid === 0 && (mode & WRITABLE) === 0;
}

function octal(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}
