import { CommandGrant } from "@sallyport/core/commands/command-rule.ts";
import { CommandRules } from "@sallyport/core/commands/match.ts";
import { FileGrant } from "@sallyport/core/files/file-grant.ts";
import { explainFiles } from "@sallyport/core/policy-test/explain-files.ts";
import type { Engagement } from "../api/control-plane.ts";
import { span } from "./time.ts";

const MODES: Record<string, string> = {
  shell: "shell",
  commands: "commands: only these",
  files: "files: only the moving of files",
};

/** How long logins go on without the identity provider's word; nothing from a control plane that does not ask it. */
export function graceLines({ idpGrace }: Engagement): string[] {
  return typeof idpGrace === "number" ? [`IdP silent  logins go on for ${span(idpGrace)}`] : [];
}

/**
 * What a session of an engagement may be, in lines below its other fields; not printable yet. Nothing from a control plane of
 * before there were modes; what a newer one has in words of its own is said to be there.
 */
export function grantLines({ mode, commands, files }: Engagement): string[] {
  if (typeof mode !== "string") return [];
  return [`Mode        ${MODES[mode] ?? mode}`, ...commandLines(commands), ...fileLines(files)];
}

function commandLines(commands: unknown): string[] {
  if (commands === null || commands === undefined) return [];
  const grant = CommandGrant.safeParse(commands).data;
  if (grant === undefined) return [`            ${UNKNOWN}`];
  const usages = new CommandRules([grant]).usages();
  return [
    ...usages.map(
      ({ usage, description }) => `            ${usage}${description === null ? "" : `  (${description})`}`,
    ),
    ...(grant.confinement === "required" ? ["            (only where the kernel confines them)"] : []),
  ];
}

function fileLines(files: unknown): string[] {
  if (files === null || files === undefined) return [];
  const grant = FileGrant.safeParse(files).data;
  return [`Files       ${grant === undefined ? UNKNOWN : explainFiles(grant)}`];
}

const UNKNOWN = "something that this version does not know; see --json";
