import { type CommandGrant, ruleName } from "../commands/command-rule.ts";
import { type CommandDecision, CommandRules } from "../commands/match.ts";
import { caretText, parseLine } from "../commands/parse-line.ts";
import type { SessionGrant } from "../commands/session-grant.ts";
import type { Engagement } from "../policy/engagement.ts";
import { rulePaths } from "../policy/rule-paths.ts";
import { filesAsWritten } from "./files-as-written.ts";
import type { AllowedAnswer, AllowedStage, PolicyAnswer, PolicyQuestion, RefusedAnswer } from "./question.ts";
import { transferOf } from "./transfer.ts";

/** What the login came to. */
interface Admitted {
  grant: SessionGrant;
  engagement: Engagement;
  /** Where it stands in the file. */
  path: readonly PropertyKey[];
  others: string[];
  assumed: string[];
}

/** What becomes of the command in a session that was admitted. */
export function judgeCommand(question: PolicyQuestion, admitted: Admitted): PolicyAnswer {
  const { command } = question;
  const { grant } = admitted;
  if (grant.mode === "shell") return allowed(admitted, "shell");
  const rules = new CommandRules(grant.commands);
  const usages = grant.mode === "commands" ? rules.usages().map(({ usage }) => usage) : [];
  const refuse: Refuse = (code, detail, more = {}) => refused(admitted, code, detail, { usages, ...more });
  const words = wordsOf(command, refuse);
  if ("outcome" in words) return words;
  const [first] = words;
  if (first === undefined)
    return grant.mode === "commands"
      ? allowed(admitted, "prompt")
      : refuse("nothing-but-files", "only files may be moved; there is no prompt");
  const protocol = words.length === 1 ? transferOf(first) : null;
  if (protocol !== null && grant.files.length > 0)
    return grant.files.every(({ protocols }) => protocols.includes(protocol))
      ? allowed(admitted, "files")
      : refuse("command-not-allowed", `files may not be moved by ${protocol}`);
  if (grant.mode === "files")
    return refuse("nothing-but-files", "only files may be moved; no command is allowed");
  return judgeStages(question, admitted, { grants: grant.commands, rules, words, refuse });
}

type Refuse = (code: string, detail: string, more?: Partial<RefusedAnswer>) => RefusedAnswer;

/** The programs of a line with their arguments; none for a login without a command. */
function wordsOf(command: PolicyQuestion["command"], refuse: Refuse): string[][] | RefusedAnswer {
  if (command === null) return [];
  if (typeof command !== "string") return [[...command]];
  const line = parseLine(command, { pipes: true });
  if (!line.ok) return refuse("shell-syntax", line.message, { caret: caretText(command, line.offset) });
  return line.stages.map((words) => words.map(({ text }) => text));
}

function judgeStages(
  { policy, account }: PolicyQuestion,
  admitted: Admitted,
  line: { grants: CommandGrant[]; rules: CommandRules; words: string[][]; refuse: Refuse },
): PolicyAnswer {
  const { grants, rules, words, refuse } = line;
  const { engagement, path, assumed } = admitted;
  const place = Number(path[1]);
  const written = policy.engagements[place]?.commands ?? null;
  const home = account === "root" ? "/root" : `/home/${account}`;
  const surroundings = { home, files: filesAsWritten(grants) };
  assumed.push(
    "Symbolic links, and which programs there are, is judged on the host; here paths are taken as they are written.",
  );
  if (grants.some(({ confinement }) => confinement === "required"))
    assumed.push("The host's kernel has Landlock.");
  const commands: Extract<CommandDecision, { outcome: "allow" }>[] = [];
  for (const argv of words) {
    const decision = rules.decide(argv, surroundings);
    if (decision.outcome === "refuse") {
      const { code, detail, usages } = decision;
      // Where the engagement as it is written would allow it, it is one of the host's own policies that does not.
      const alone = written === null ? null : new CommandRules([written]).decide(argv, surroundings);
      const byLocalPolicy = alone === null || alone.outcome === "allow";
      return refuse(code, detail, { byLocalPolicy, ...(usages.length === 0 ? {} : { usages }) });
    }
    const { name, rule } = decision;
    if (rule.runAs !== undefined && engagement.accounts.some((shared) => shared === account))
      return refuse(
        "command-not-allowed",
        `${name} runs as ${rule.runAs} by sudo, which only members' own accounts have, and ${account} is shared`,
      );
    commands.push(decision);
  }
  // A host's own policy may have taken rules out, so that places in the list are not those of the file.
  const texts = written?.rules.map((rule) => JSON.stringify(rule)) ?? [];
  const paths = rulePaths(policy, place);
  const stages = commands.map((one) => stageOf(one, paths[texts.indexOf(JSON.stringify(one.rule))] ?? null));
  return allowed(admitted, "commands", stages);
}

function allowed(
  { engagement, path, others, assumed }: Admitted,
  as: AllowedAnswer["as"],
  stages: AllowedStage[] = [],
): AllowedAnswer {
  const { name, end: until } = engagement;
  return { outcome: "allow", engagement: name, path, as, stages, until, others, assumed };
}

function refused(
  { engagement, path, assumed }: Admitted,
  code: string,
  detail: string,
  more: Partial<RefusedAnswer>,
): RefusedAnswer {
  return {
    outcome: "refuse",
    code,
    detail,
    caret: null,
    engagement: engagement.name,
    path,
    byLocalPolicy: false,
    usages: [],
    assumed,
    ...more,
  };
}

function stageOf(
  decision: Extract<CommandDecision, { outcome: "allow" }>,
  path: readonly PropertyKey[] | null,
): AllowedStage {
  const { rule, argv, program, directory, timeLimit, outputLimit, confinement } = decision;
  return {
    rule: ruleName(rule),
    path,
    argv,
    program,
    directory,
    runAs: rule.runAs ?? null,
    timeLimit,
    outputLimit,
    confinement,
  };
}
