import type { CommandRules } from "@sallyport/core/commands/match.ts";
import { printable } from "@sallyport/core/terminal-text.ts";

/** What help is about: `CommandRules.usages`. */
type Usages = ReturnType<CommandRules["usages"]>;

/** The line above the first prompt. */
export function greeting(engagement: string, contact: string, commands: number): string {
  const what =
    commands === 0
      ? "no commands are allowed here"
      : commands === 1
        ? 'one command is allowed here, "help" shows it'
        : `${commands} commands are allowed here, "help" lists them`;
  return `sallyport: engagement ${printable(engagement)}: ${what}; questions to ${printable(contact)}\n`;
}

/** Everything that is allowed, with the prompt's own words. */
export function helpText(usages: Usages): string {
  return [
    usages.length === 0 ? "No commands are allowed here." : "Allowed here:",
    ...usages.map(entry),
    "Of the prompt itself:",
    "  help [COMMAND]",
    "  exit",
    'Join commands with "|"; Tab completes; quotes are \'…\', "…" and \\.',
    "",
  ].join("\n");
}

/** What is allowed of one command, by its program or its name in the engagement. */
export function helpFor(usages: Usages, command: string): string {
  const found = usages.filter(({ name, usage }) => name === command || usage.split(" ")[0] === command);
  if (found.length === 0) return `"${printable(command, 100)}" is not allowed here; "help" lists what is.\n`;
  return `${found.map(entry).join("\n")}\n`;
}

function entry({ usage, description }: Usages[number]): string {
  return description === null
    ? `  ${printable(usage)}`
    : `  ${printable(usage)}\n      ${printable(description)}`;
}
