import { type CommandDecision, CommandRules } from "@sallyport/core/commands/match.ts";
import { caretText, parseLine, type Word } from "@sallyport/core/commands/parse-line.ts";
import type { SessionGrant } from "@sallyport/core/commands/session-grant.ts";
import { hostFiles, programProblem } from "./host-files.ts";
import type { Refusal } from "./refusal-text.ts";
import { shellHint } from "./shell-programs.ts";

/** A grant that allows single commands or files. */
export type NarrowGrant = Exclude<SessionGrant, { mode: "shell" }>;

/** What one program of a line may be. */
export type AllowedCommand = Extract<CommandDecision, { outcome: "allow" }>;

/** A line that may be run: the programs of its pipeline, and the narrowest limits of them (seconds, bytes; null for none). */
export interface Allowed {
  line: string;
  commands: AllowedCommand[];
  timeLimit: number | null;
  outputLimit: number | null;
}

export type Judgement = { ok: true; allowed: Allowed | null } | { ok: false; refusal: Refusal };

/** Decides about lines by the grant that a session has now. */
export class CommandJudge {
  readonly grant: NarrowGrant;
  readonly rules: CommandRules;
  readonly #home: string;
  readonly #confines: boolean;

  /** `confines`: the kernel has Landlock. */
  constructor(grant: NarrowGrant, home: string, confines: boolean) {
    this.grant = grant;
    this.rules = new CommandRules(grant.commands);
    this.#home = hostFiles.real(home) ?? home;
    this.#confines = confines;
  }

  /** A line of blanks is allowed and nothing: `allowed` is null. Never throws. */
  judge(line: string): Judgement {
    const parsed = parseLine(line, { pipes: true });
    if (!parsed.ok) {
      const hint = shellHint(line.trim().split(/\s+/));
      const detail = hint === null ? parsed.message : `${parsed.message} ${hint}`;
      return refuse("shell-syntax", detail, caretText(line, parsed.offset));
    }
    if (parsed.stages.length === 0) return { ok: true, allowed: null };
    const commands: AllowedCommand[] = [];
    for (const words of parsed.stages) {
      const decision = this.#decide(words);
      if ("ok" in decision) return decision;
      commands.push(decision);
    }
    const narrowest = (limits: (number | null)[]) => {
      const set = limits.filter((limit) => limit !== null);
      return set.length === 0 ? null : Math.min(...set);
    };
    return {
      ok: true,
      allowed: {
        line,
        commands,
        timeLimit: narrowest(commands.map((one) => one.timeLimit)),
        outputLimit: narrowest(commands.map((one) => one.outputLimit)),
      },
    };
  }

  #decide(words: readonly Word[]): AllowedCommand | Extract<Judgement, { ok: false }> {
    const argv = words.map(({ text }) => text);
    const decision = this.rules.decide(argv, { home: this.#home, files: hostFiles });
    if (decision.outcome === "allow") {
      if (decision.confinement === "available" || this.#confines) return decision;
      return refuse(
        "confinement-missing",
        "The engagement demands that the kernel confines each command, and this host's kernel has no Landlock. Tell its administrators.",
      );
    }
    const { code, detail, usages } = decision;
    const hint =
      code === "program-missing"
        ? programProblem(argv[0] ?? "")
        : code === "command-not-allowed"
          ? shellHint(argv)
          : null;
    return refuse(code, hint === null || hint === "" ? detail : `${detail} ${hint}`, "", usages);
  }
}

function refuse(
  code: string,
  detail: string,
  caret = "",
  usages: string[] = [],
): Extract<Judgement, { ok: false }> {
  return { ok: false, refusal: { code, detail, caret, usages } };
}
