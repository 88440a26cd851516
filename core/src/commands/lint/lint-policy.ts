import type { LocalPolicy } from "../../policy/local-policy.ts";
import type { PolicyEngagement } from "../../policy/policy-engagement.ts";
import type { PolicyFile } from "../../policy/policy-file.ts";
import { rulePaths } from "../../policy/rule-paths.ts";
import { bySeverity, type Finding } from "./finding.ts";
import { knownOf, startsAnything } from "./known/known-programs.ts";
import { lintGrants, lintLocalCommands } from "./lint-commands.ts";
import { lintOverlaps } from "./overlap.ts";

/** What is to be looked at in a policy file that its schema accepts: the worst first. */
export function lintPolicyFile(file: PolicyFile): Finding[] {
  const found = file.engagements.flatMap((_engagement, index) => lintEngagement(file, index));
  const all = [...once(found), ...lintSets(file), ...lintOverlaps(file.engagements, ["engagements"])];
  return all.toSorted(bySeverity);
}

/** The same for a file of a host's `policy.d`. */
export function lintLocalPolicy({ commands }: LocalPolicy): Finding[] {
  if (commands === undefined) return [];
  const rulePaths = commands.rules.map((_rule, index) => ["commands", "rules", index]);
  return lintLocalCommands({ grant: commands, path: ["commands"], rulePaths }).toSorted(bySeverity);
}

function lintEngagement(file: PolicyFile, index: number): Finding[] {
  const engagement = file.engagements[index];
  if (engagement === undefined) return [];
  const { commands, files } = engagement;
  const path = ["engagements", index];
  const granted = lintGrants(
    commands === null
      ? null
      : { grant: commands, path: [...path, "commands"], rulePaths: rulePaths(file, index) },
    files === null ? null : { grant: files, path: [...path, "files"] },
  );
  return [...granted, ...lintShared(file, index), ...lintSudo(engagement, path)];
}

/** Rules with `runAs` where some members come by a shared account. */
function lintShared(file: PolicyFile, index: number): Finding[] {
  const { accounts = [], commands = null } = file.engagements[index] ?? {};
  const first = commands?.rules.findIndex(({ runAs }) => runAs !== undefined) ?? -1;
  if (accounts.length === 0 || first < 0) return [];
  const path = [...(rulePaths(file, index)[first] ?? []), "runAs"];
  const message = `Only members' own accounts have sudo: whoever logs in as ${accounts.slice(0, 3).join(", ")} cannot run this.`;
  return [{ severity: "warning", code: "run-as", path, message }];
}

/** A set that several engagements use is told of once. */
function once(found: readonly Finding[]): Finding[] {
  return [...new Map(found.map((finding) => [JSON.stringify(finding), finding])).values()];
}

function lintSets({ commandSets, engagements }: PolicyFile): Finding[] {
  const used = new Set(engagements.flatMap(({ commands }) => commands?.rules ?? []));
  return Object.entries(commandSets)
    .filter(([, rules]) => !rules.some((rule) => used.has(rule)))
    .map(([name]) => ({
      severity: "note",
      code: "unused-set",
      path: ["commandSets", name],
      message: `No engagement uses the set ${name}.`,
    }));
}

/** What sudo(8) gives to personal accounts has no confinement at all. */
function lintSudo({ privilege, mode }: PolicyEngagement, path: readonly PropertyKey[]): Finding[] {
  if (privilege.sudo === "full")
    return [
      {
        severity: mode === "shell" ? "note" : "danger",
        code: "sudo",
        path: [...path, "privilege", "sudo"],
        message:
          mode === "shell"
            ? "Full sudo is root, who may end the recording of a session on the host."
            : "Full sudo is root. In this mode it goes to whatever program of the list starts sudo.",
      },
    ];
  if (privilege.sudo !== "listed") return [];
  return privilege.commands.flatMap(({ program, arguments: args, runAs }, index): Finding[] => {
    const at = [...path, "privilege", "commands", index];
    const risky = knownOf(program).filter(({ always, risk }) => always !== undefined && risk !== "remote");
    const [first] = risky;
    if (first !== undefined || startsAnything(program))
      return [
        {
          severity: "danger",
          code: "sudo",
          path: [...at, "program"],
          message: `${program} as ${runAs} is as good as a shell of ${runAs}${first?.always === undefined ? "" : `: ${first.always}`}. Nothing confines what sudo starts.`,
        },
      ];
    if (args !== null) return [];
    const message = `${program} as ${runAs} with any arguments: nothing confines what sudo starts. Write the arguments out ([] for none).`;
    return [
      {
        severity: knownOf(program).length > 0 ? "danger" : "warning",
        code: "sudo",
        path: [...at, "arguments"],
        message,
      },
    ];
  });
}
