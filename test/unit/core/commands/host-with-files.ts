import { CommandGrant, PROGRAM_PATH } from "@sallyport/core/commands/command-rule.ts";
import { type CommandDecision, CommandRules, type HostFiles } from "@sallyport/core/commands/match.ts";
import { parseLine } from "@sallyport/core/commands/parse-line.ts";

/** Home of the account of {@link decided}. */
export const HOME = "/home/deploy";

/** A host of its own for a decision: files and directories, and what symbolic links lead to. */
export function hostWithFiles(
  paths: readonly string[],
  links: Readonly<Record<string, string>> = {},
): HostFiles {
  const all = new Set(["/"]);
  for (const path of paths) for (let at = path; at !== ""; at = at.slice(0, at.lastIndexOf("/"))) all.add(at);
  const real = (path: string): string | null => {
    const parts = path.split("/").filter((part) => part !== "" && part !== ".");
    let at = "";
    for (let budget = 100; parts.length > 0 && budget > 0; budget--) {
      const part = parts.shift() ?? "";
      if (part === "..") {
        at = at.slice(0, at.lastIndexOf("/"));
        continue;
      }
      const link = links[`${at}/${part}`];
      if (link !== undefined) {
        if (link.startsWith("/")) at = "";
        parts.unshift(...link.split("/").filter((one) => one !== ""));
        continue;
      }
      at = `${at}/${part}`;
      if (!all.has(at)) return parts.length === 0 ? at : null;
    }
    return parts.length > 0 ? null : at === "" ? "/" : at;
  };
  const isProgram = (path: string) => {
    const found = real(path);
    return found !== null && all.has(found);
  };
  const program = (name: string) =>
    name.includes("/")
      ? name.startsWith("/") && isProgram(name)
        ? name
        : null
      : (PROGRAM_PATH.map((directory) => `${directory}/${name}`).find(isProgram) ?? null);
  return { real, program };
}

const NAMES = [
  "systemctl",
  "journalctl",
  "tail",
  "ls",
  "cat",
  "git",
  "tool",
  "find",
  "deploy",
  "psql",
  "docker",
];
/** A host as Debian has it, with some logs and some links that lead out of them. */
export const HOST: HostFiles = hostWithFiles(
  [
    ...NAMES.map((name) => `/usr/bin/${name}`),
    "/usr/local/bin/other",
    "/opt/app/bin/release",
    "/opt/linked/real-tool",
    "/var/log/syslog",
    "/var/log/nginx/error.log",
    "/var/log-old/syslog",
    "/etc/shadow",
    "/home/deploy/app/file",
    "/srv/app/data",
    "/tmp/ls",
  ],
  {
    "/bin": "usr/bin",
    "/var/log/out": "/etc",
    "/var/log/shadow": "/etc/shadow",
    "/var/log/in": "nginx",
    "/home/deploy/logs": "/etc",
    "/usr/local/bin/linked": "/opt/linked/real-tool",
    "/opt/linked/linked": "real-tool",
    "/usr/local/bin/release": "/opt/app/bin/release",
  },
);

/** Rules as they are written in a policy. */
export type Written = readonly Record<string, unknown>[];

/** One grant of these rules for each. */
export function rulesOf(...grants: Written[]): CommandRules {
  return new CommandRules(grants.map((rules) => CommandGrant.parse({ rules })));
}

/** What is decided of a line; the words of it come from the parser, or are given. */
export function decided(
  rules: CommandRules,
  asked: string | readonly string[],
  files = HOST,
): CommandDecision {
  return rules.decide(typeof asked === "string" ? wordsOf(asked) : asked, { home: HOME, files });
}

function wordsOf(line: string): string[] {
  const parsed = parseLine(line, { pipes: false });
  if (!parsed.ok) throw new Error(`${line}: ${parsed.message}`);
  return (parsed.stages[0] ?? []).map(({ text }) => text);
}
