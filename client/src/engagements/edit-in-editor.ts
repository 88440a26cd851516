import { applyMergePatch, makeMergePatch } from "@sallyport/core/json-merge-patch.ts";
import type { EngagementChangeResponse, EngagementVersion } from "@sallyport/core/messages/engagements.ts";
import { PolicyEngagement } from "@sallyport/core/policy/policy-engagement.ts";
import { asWritten } from "@sallyport/core/policy/written-engagement.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import { readYaml } from "@sallyport/core/yaml/read-yaml.ts";
import { stringify } from "yaml";
import type { ControlPlane } from "../api/control-plane.ts";
import type { Context } from "../context.ts";
import { changesText } from "../output/changes.ts";
import { editText, type Rebased } from "./editor.ts";

/** So many changes of others are told. */
const MAX_TOLD = 20;

/**
 * Has a person change an engagement as YAML. What somebody else changes meanwhile is shown to them, with their own change on
 * top of it, before anything is stored. Undefined when they changed nothing.
 */
export async function editInEditor(
  context: Context,
  { api, name, reason }: { api: ControlPlane; name: string; reason: string },
  start: EngagementVersion,
): Promise<EngagementChangeResponse | undefined> {
  let current = start;
  const changeOf = (text: string, file: string) =>
    makeMergePatch(fieldsOf(current), asWritten(readYaml(text, file, PolicyEngagement).value));
  const rebase = async (text: string, file: string): Promise<Rebased | undefined> => {
    const versions = await api.engagementVersions(name, MAX_TOLD);
    const [newest] = versions;
    if (newest === undefined || newest.version === current.version) return undefined;
    const mine = changeOf(text, file);
    const others = versions.filter(({ version }) => version > current.version).reverse();
    current = newest;
    const fields = fieldsOf(newest);
    const both = applyMergePatch(fields, mine) as typeof fields;
    return {
      base: yaml(fields),
      body: yaml(both),
      notes: [
        `Below is version ${newest.version} with your changes on it. Where both changed the same field, yours is there. Changed meanwhile:`,
        ...others.flatMap(toldOf),
      ],
    };
  };
  return editText(
    context,
    yaml(fieldsOf(start)),
    comment(name, start.version),
    (text, file) =>
      api.editEngagement(name, { version: current.version, change: changeOf(text, file), reason }),
    rebase,
  );
}

function fieldsOf({ engagement: { ended: _, ...fields } }: EngagementVersion): Record<string, unknown> {
  return fields;
}

/** The fields in the order in which people write them, those of rules and directories too: a schema gives them its own. */
function yaml(fields: Record<string, unknown>): string {
  const { shape } = PolicyEngagement;
  const { commands, files } = fields;
  const ordered = {
    ...fields,
    commands: shape.commands.safeParse(commands).data ?? commands,
    files: shape.files.safeParse(files).data ?? files,
  };
  return stringify(
    Object.fromEntries(Object.keys(shape).map((name) => [name, ordered[name as keyof typeof ordered]])),
    { aliasDuplicateObjects: false },
  );
}

function toldOf({ version, by, why, changes }: EngagementVersion): string[] {
  const reason = why === "" ? "" : `: ${printable(why)}`;
  return [`version ${version} by ${printable(by)}${reason}`, ...changesText(changes).trimEnd().split("\n")];
}

function comment(name: string, version: number): string[] {
  return [
    `Engagement ${printable(name)}, edited from version ${version}. Save and leave to change it; save nothing to leave it as it is.`,
    "These lines are not kept. What is left out has its default.",
  ];
}
