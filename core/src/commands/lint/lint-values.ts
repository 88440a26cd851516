import { wholeMatch } from "../regular-expression.ts";
import type { Finding } from "./finding.ts";
import { type RuleView, textsOf } from "./rule-view.ts";

/** Arguments that no careful pattern lets through all of. */
const PROBES = ["zq 7", "../../etc/shadow", "/etc/shadow", "$(id)", "a;b|c&d", "ä=*?"];

/** Patterns and places that let more through than they look, or nothing. */
export function lintValues(view: RuleView): Finding[] {
  const found = view.values.flatMap(({ value, path }): Finding[] => {
    if (typeof value === "string") return [];
    if ("matches" in value) return lintPattern(value.matches, path);
    if ("under" in value && value.under === "/")
      return [
        {
          severity: "warning",
          code: "under-root",
          path,
          message: "Under / is every file there is: name the directory that is meant.",
        },
      ];
    const doubled = textsOf(value).find((text, index, all) => all.indexOf(text) !== index);
    if (doubled === undefined) return [];
    return [
      {
        severity: "note",
        code: "never-matches",
        path,
        message: `${JSON.stringify(doubled)} is there twice; the second says nothing.`,
      },
    ];
  });
  if (view.rest === undefined) return found;
  const message =
    "`rest: true` lets any arguments through, options too: what the program makes of them is not judged. Write out what is needed.";
  return [...found, { severity: "warning", code: "rest", path: view.rest, message }];
}

function lintPattern(pattern: string, path: readonly PropertyKey[]): Finding[] {
  const matches = wholeMatch(pattern);
  const found: Finding[] = [];
  if (PROBES.every(matches))
    found.push({
      severity: "warning",
      code: "pattern-too-wide",
      path,
      message: `${pattern} lets nearly any argument through. Name the letters that may be in it, and how many: [A-Za-z0-9._-]{1,64}.`,
    });
  else if (waysUp(pattern).some(matches))
    found.push({
      severity: "warning",
      code: "pattern-too-wide",
      path,
      message: `${pattern} lets .. through: a path that begins in one directory may end in any. Use \`under\`, which looks behind .. and symbolic links.`,
    });
  else if (/^\.[*+]/.test(pattern) || /[^\\]\.[*+]\$?$/.test(pattern))
    found.push({
      severity: "warning",
      code: "pattern-too-wide",
      path,
      message: `${pattern} lets anything stand before or behind: a pattern is for the whole argument, so .* is not needed to find it.`,
    });
  if (/^\^|[^\\]\$$/.test(pattern))
    found.push({
      severity: "note",
      code: "pattern-anchors",
      path,
      message: "A pattern must match the whole argument as it is: ^ and $ around it say nothing more.",
    });
  // Behind a flag in the same argument it may.
  if (/^\^?-/.test(pattern) && !path.includes("flags"))
    found.push({
      severity: "danger",
      code: "never-matches",
      path,
      message:
        "An argument that begins with - is matched only where it is written out: this never matches. List it in `flags`, or as text.",
    });
  return found;
}

/** Paths that begin as the pattern does and go up from there. */
function waysUp(pattern: string): string[] {
  const [start = ""] = /^[A-Za-z0-9_/~-]*(?![*+?{])/.exec(pattern.replace(/^\^/, "")) ?? [];
  return ["../x", "a/../../x", "/etc/../x"].map((path) => start + path);
}
