import { PROGRAM_PATH } from "@sallyport/core/commands/command-rule.ts";
import type { SessionEvent } from "@sallyport/core/commands/session-event.ts";
import { confineCommand } from "../confinement/confine.ts";
import type { Stage, StartInstructions } from "../shim/start-instructions.ts";
import type { Allowed, AllowedCommand } from "./command-judge.ts";

const SUDO = "/usr/bin/sudo";

/** Where a command starts. */
export interface CommandSurroundings {
  account: string;
  home: string;
  /** Path of the session's terminal, and what it is; null without one. */
  terminal: { path: string; term: string } | null;
  /** The kernel's Landlock ABI; 0 where it has none. */
  abi: number;
}

type Confined = Extract<SessionEvent, { type: "command-started" }>["confined"];

/** What the shim is told to start for a line that is allowed: the very words that were judged, in a clean environment. */
export function commandStart(
  { commands }: Allowed,
  around: CommandSurroundings,
): { instructions: StartInstructions; confined: Confined } {
  const confined = commands.map((decision) =>
    confineCommand({ decision, abi: around.abi, terminal: around.terminal?.path ?? null }),
  );
  const stages = commands.map((decision, index): Stage => {
    const { layers = [], noNewPrivileges = true } = confined[index] ?? {};
    const { directory, rule } = decision;
    return { ...program(decision), set: rule.environment, directory, layers, noNewPrivileges };
  });
  return {
    instructions: {
      terminal: around.terminal?.path ?? null,
      stages,
      clear: true,
      set: cleanEnvironment(around),
      unset: [],
      direct: false,
    },
    confined: weakest(confined.map((one) => one.confined)),
  };
}

/** What of it the kernel holds is what it holds of the least confined. */
function weakest(all: readonly Confined[]): Confined {
  return (["none", "sudo"] as const).find((one) => all.includes(one)) ?? "landlock";
}

/** By sudo as another account where the rule says so: sudo has to gain privileges, and asks its own rules once more. */
function program({ rule, program, argv }: AllowedCommand): Pick<Stage, "file" | "arguments"> {
  if (rule.runAs === undefined) return { file: program, arguments: [...argv] };
  return { file: SUDO, arguments: ["sudo", "-n", "-u", rule.runAs, "--", program, ...argv.slice(1)] };
}

/** Nothing that the contractor's client, PAM or a file of the account's put there. */
export function cleanEnvironment({
  account,
  home,
  terminal,
}: Pick<CommandSurroundings, "account" | "home" | "terminal">): Record<string, string> {
  return {
    PATH: PROGRAM_PATH.join(":"),
    HOME: home,
    USER: account,
    LOGNAME: account,
    SHELL: "/usr/sbin/nologin",
    LANG: "C.UTF-8",
    ...(terminal === null ? {} : { TERM: terminal.term }),
  };
}
