import { parseArgs } from "node:util";

/** Of a host, beside plain OpenSSH. In the order in which they run. */
export const HOST_BENCHES = [
  "login",
  "keystroke",
  "neighbour",
  "throughput",
  "tlog",
  "nonpty",
  "files",
  "rest",
  "memory",
  "crowd",
  "revocation-host",
] as const;
export type HostBench = (typeof HOST_BENCHES)[number];

/** Of the control plane. */
export const CONTROL_PLANE_BENCHES = [
  "certificates",
  "ingest",
  "hosts",
  "sessions",
  "revocation",
  "scim",
] as const;
export type ControlPlaneBench = (typeof CONTROL_PLANE_BENCHES)[number];

/** Of the library alone. */
export const CORE_BENCHES = ["decision", "revocation-list"] as const;
export type CoreBench = (typeof CORE_BENCHES)[number];

const BENCHES = [...HOST_BENCHES, ...CONTROL_PLANE_BENCHES, ...CORE_BENCHES];
type Bench = HostBench | ControlPlaneBench | CoreBench;

export interface BenchOptions {
  benches: readonly Bench[];
  /** Instead of each benchmark's own number. */
  runs: number | undefined;
  /** Where the JSON goes; by default bench/results/TIME.json. */
  out: string | undefined;
}

export const HELP = `Measures Sallyport against plain OpenSSH on one host, in turns, and its control plane. Needs root; takes about ten minutes.

  npm run bench -- [BENCHMARK|all] [--runs N] [--out FILE]

  login        ssh HOST true                                               (40 runs of each side)
  keystroke    one byte to the terminal and its echo back                  (20 groups of 50)
  neighbour    the same while another session prints without end           (4 groups of 100)
  throughput   30 MB of text through a terminal                            (7)
  tlog         the same, against tlog-rec                                  (5)
  nonpty       1 GB of text without a terminal                             (3)
  files        1 GB put and got by sftp, where only files may be moved     (3)
  rest         processor time and memory while nobody is logged in
  memory       private memory of an idle session                           (200 sessions)
  crowd        sessions opened all at once                                 (200 sessions)
  revocation-host  a revocation's arrival to the death of the shell        (30 sessions)
  certificates certificates issued by the control plane                    (3000)
  ingest       recordings uploaded to it and stored                        (400 MB)
  hosts        memory of connected hosts, and all back after a restart     (2000 hosts)
  sessions     lists of sessions, on both databases                        (out of 1,000,000)
  revocation   from a request to the last host's answer, and a long list   (30 times, 2000 hosts)
  scim         people disabled and enabled by SCIM                         (2000 PATCHes)
  decision     a command line judged by 1,000 rules                        (10,000 lines of each kind)
  revocation-list  somebody looked up in a host's list of 100,000 revocations (20,000 people of each kind)

  --runs N     runs of each side, or as many sessions, certificates, MB, hosts, lines
  --out FILE   where the JSON goes    (default bench/results/TIME.json)
  --help       this text

A missed target is shown as "not met"; it is not an error. Exit status: 0 measured, 1 could not measure, 2 wrong usage,
130 interrupted.
`;

/** What was wrong with the command line, in a sentence. */
export class UsageError extends Error {}

/** Reads the command line; "help" when that is asked for. Throws {@link UsageError}. */
export function parseOptions(argv: readonly string[]): BenchOptions | "help" {
  const { values, positionals } = read(argv);
  if (values.help) return "help";
  const [name = "all", surplus] = positionals;
  const benches = BENCHES.filter((bench) => name === "all" || name === bench);
  if (benches.length === 0)
    throw new UsageError(`There is no benchmark "${name}": ${BENCHES.join(", ")} or all.`);
  if (surplus !== undefined) throw new UsageError(`One benchmark or all, not also "${surplus}".`);
  if (values.runs !== undefined && !/^[1-9]\d{0,6}$/.test(values.runs))
    throw new UsageError(`--runs takes a number from 1 to 9999999, not "${values.runs}".`);
  return { benches, runs: values.runs === undefined ? undefined : Number(values.runs), out: values.out };
}

function read(argv: readonly string[]) {
  const options = {
    runs: { type: "string" },
    out: { type: "string" },
    help: { type: "boolean", short: "h", default: false },
  } as const;
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true });
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}
