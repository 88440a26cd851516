/**
 * How bad: `danger`, it is as good as a shell, or as root; `warning`, look at it; `note`, worth knowing.
 */
export type Severity = "danger" | "warning" | "note";

/** Stable names of what the linter finds; docs/policy.md lists them. */
export type LintCode =
  // programs
  | "starts-programs"
  | "runs-code"
  | "asks-a-service"
  | "reaches-out"
  | "writes-files"
  | "script"
  // arguments
  | "pattern-too-wide"
  | "pattern-anchors"
  | "rest"
  | "under-root"
  // what the kernel is told
  | "read-any"
  | "execute-programs"
  | "write-wide"
  | "write-startup-files"
  | "write-programs"
  | "confinement-available"
  | "run-as"
  // environment
  | "environment"
  // rules that say nothing
  | "never-matches"
  | "duplicate-rule"
  | "shadowed-rule"
  | "not-absolute"
  | "empty-list"
  | "unused-set"
  // files
  | "files-wide"
  | "files-startup-files"
  | "files-programs"
  // engagements
  | "sudo"
  | "overlap";

/** One thing that somebody should look at before a policy is applied. */
export interface Finding {
  severity: Severity;
  code: LintCode;
  /** Where in the document it stands: keys and indices from its top. */
  path: readonly PropertyKey[];
  /** A sentence or two: what it is, and what to do. */
  message: string;
}

const RANK: Record<Severity, number> = { danger: 0, warning: 1, note: 2 };

/** The worst first; else in the order in which they stand. */
export function bySeverity(a: Finding, b: Finding): number {
  return RANK[a.severity] - RANK[b.severity];
}
