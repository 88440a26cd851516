import type { AgentConfig } from "../configuration/agent-config.ts";
import type { Paths } from "../configuration/paths.ts";
import type { PinnedTrust } from "../configuration/pinned-trust.ts";
import type { StatusDocument } from "../status/status-document.ts";

/** `warning`: works, and should be looked at. `error`: contractors are kept out, or something is not guarded. */
export type Level = "ok" | "warning" | "error";

/** One thing that was found. */
export interface Finding {
  check: string;
  level: Level;
  /** What is so, in one sentence or less. */
  what: string;
  /** Why it matters; empty where all is well. */
  why: string;
  /** The command that mends it, or what to do where no command can; empty where all is well. */
  fix: string;
}

/** One matter that doctor looks at. Looks only: nothing is changed. */
export interface Check {
  name: string;
  run(host: ExaminedHost): Promise<Finding[]>;
}

/** What the checks look at. */
export interface ExaminedHost {
  config: AgentConfig;
  /** Path of the configuration, which need not exist. */
  configFile: string;
  paths: Paths;
  /** Null: this host is not enrolled, or the file makes no sense. */
  pinned: PinnedTrust | null;
  /** What the running agent says; null when none runs. */
  status: StatusDocument | null;
  /** Version of this program. */
  version: string;
  /** Seconds since the epoch. */
  now(): number;
}

/** All is well with this. */
export function ok(what: string): Found {
  return { level: "ok", what, why: "", fix: "" };
}

/** Something that should be looked at. */
export function warning(what: string, why: string, fix: string): Found {
  return { level: "warning", what, why, fix };
}

/** Something that keeps contractors out, or is not guarded. */
export function error(what: string, why: string, fix: string): Found {
  return { level: "error", what, why, fix };
}

/** A finding before it is known which check it belongs to. */
export type Found = Omit<Finding, "check">;

/** Makes a check of a function. */
export function check(name: string, look: (host: ExaminedHost) => Found[] | Promise<Found[]>): Check {
  return { name, run: async (host) => (await look(host)).map((found) => ({ check: name, ...found })) };
}
