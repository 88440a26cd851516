import type { ConfigFile } from "./files.ts";
import type { ConfigKey } from "./keys.ts";

/** docs/config.md: each file has a table of its plain keys, and one for each key that has others in it. */
export function page(files: readonly ConfigFile[]): string {
  return [
    "# Configuration reference",
    "<!-- Made from the schemas by `npm run docs:config`; changes made here are lost. -->",
    "Every key of every configuration file: what may be written, what holds where it is left out, what it means, in which unit, and what is " +
      "dangerous about it. `issuers[].name` is the key `name` of each entry of the list `issuers`. The same is in the man pages " +
      `${files.map(({ name }) => `${name}(5)`).join(" and ")}. What goes into the policy file is in ` +
      "[engagements](operating/engagements.md#the-policy-file), and into a host's own policies in [hosts](operating/hosts.md#local-policy).",
    ...files.flatMap((file) => section(file)),
    "",
  ].join("\n\n");
}

function section({ path, about, more, keys }: ConfigFile): string[] {
  const groups = new Map<string, ConfigKey[]>([["", []]]);
  for (const key of keys) {
    const top = key.path.split(/[.[]/)[0] ?? "";
    const isGroup = keys.some((other) => other.path !== key.path && other.path.split(/[.[]/)[0] === top);
    groups.set(isGroup ? top : "", [...(groups.get(isGroup ? top : "") ?? []), key]);
  }
  return [
    `## \`${path}\``,
    ...about,
    `More about it: [${more.replace(/^operating\/|#.*$/g, "")}](${more}).`,
    ...[...groups].flatMap(([name, inside]) => (name === "" ? [table(inside)] : group(name, inside))),
  ].map((part) => part.trimEnd());
}

/** The key itself is the text above the table of what is in it. */
function group(name: string, keys: readonly ConfigKey[]): string[] {
  const [own, ...inside] = keys;
  const facts = [own?.form, defaultOf(own?.byDefault ?? "")].filter(Boolean).join("; ");
  return [`### \`${name}\``, `${marked(own?.description ?? "")} (${facts})`, table(inside)];
}

function table(keys: readonly ConfigKey[]): string {
  const rows = keys.map(({ path, form, byDefault, description }) => {
    const value = byDefault === "required" ? "**required**" : byDefault === "" ? "" : `\`${byDefault}\``;
    return [`\`${path}\``, form, value, marked(description)]
      .map((cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " "))
      .join(" | ");
  });
  return [
    "| key | what | default | meaning |",
    "| --- | --- | --- | --- |",
    ...rows.map((row) => `| ${row} |`),
  ].join("\n");
}

function defaultOf(byDefault: string): string {
  if (byDefault === "required") return "required";
  return byDefault === "" ? "" : `default \`${byDefault}\``;
}

/** What is dangerous is to be seen. */
function marked(description: string): string {
  return description.replace(/\bDanger\b/, "**Danger**");
}
