import type { FileGrant } from "../../files/file-grant.ts";
import type { CommandGrant } from "../command-rule.ts";
import type { Finding } from "./finding.ts";
import { lintConfinement } from "./lint-confinement.ts";
import { lintEnvironment } from "./lint-environment.ts";
import { lintFiles } from "./lint-files.ts";
import { lintProgram } from "./lint-program.ts";
import { lintUnreachable } from "./lint-unreachable.ts";
import { lintValues } from "./lint-values.ts";
import { type RuleView, viewOf } from "./rule-view.ts";

type Path = readonly PropertyKey[];

/** A list of commands, and where it and each of its rules stand in the document. */
export interface PlacedCommands {
  grant: CommandGrant;
  path: Path;
  rulePaths: readonly Path[];
}

/** What is to be looked at in the commands and files of an engagement. */
export function lintGrants(
  commands: PlacedCommands | null,
  files: { grant: FileGrant; path: Path } | null,
): Finding[] {
  const programs = commands?.grant.rules.flatMap((rule) => [rule.program, ...rule.confine.execute]) ?? [];
  const found: Finding[] = [];
  if (commands !== null) {
    const { grant } = commands;
    const views = viewsOf(commands);
    for (const view of views)
      found.push(
        ...lintProgram(view, grant.confinement),
        ...lintValues(view),
        ...lintConfinement(view, programs),
        ...lintEnvironment(view),
      );
    found.push(...lintAvailable(commands, views), ...lintList(commands));
  }
  if (files !== null) found.push(...lintFiles(files.grant, files.path, programs));
  return found;
}

/** The same for the list of a host's own policy: it only takes away, so that what is wide in it is no danger. */
export function lintLocalCommands(commands: PlacedCommands): Finding[] {
  const found = viewsOf(commands).flatMap((view) => [
    ...lintName(view),
    ...lintValues(view).filter(({ code }) => code !== "rest"),
  ]);
  return [...found, ...lintList(commands)];
}

function viewsOf({ grant, path, rulePaths }: PlacedCommands): RuleView[] {
  return grant.rules.map((rule, index) => viewOf(rule, rulePaths[index] ?? path));
}

function lintList({ grant, path, rulePaths }: PlacedCommands): Finding[] {
  if (grant.rules.length > 0) return lintUnreachable(grant.rules, rulePaths);
  const message = "A list without rules allows no command at all.";
  return [{ severity: "warning", code: "empty-list", path: [...path, "rules"], message }];
}

/** Rules that lean on the kernel where it need not be there. */
function lintAvailable({ grant, path }: PlacedCommands, views: readonly RuleView[]): Finding[] {
  const leaning = views.filter(
    (view) =>
      view.rule.runAs === undefined &&
      lintProgram(view, "available").some(
        ({ code, severity }) => code === "starts-programs" && severity !== "note",
      ),
  );
  if (grant.confinement === "required" || leaning.length === 0) return [];
  const names = [...new Set(leaning.map(({ name }) => name))];
  return [
    {
      severity: "warning",
      code: "confinement-available",
      path: [...path, "confinement"],
      message:
        `Only the kernel keeps ${names.slice(0, 10).join(", ")} from starting other programs, and \`confinement: available\` lets them ` +
        "run where it cannot (Linux before 5.13, or Landlock off). Say `confinement: required`.",
    },
  ];
}

/** In a host's own policy a name means whatever the host finds first. */
function lintName({ rule: { program }, path }: RuleView): Finding[] {
  if (program.startsWith("/")) return [];
  const message = `${program} is looked for in several directories. A host's own policy knows where it is: write its path, like /usr/bin/${program}.`;
  return [{ severity: "warning", code: "not-absolute", path: [...path, "program"], message }];
}
