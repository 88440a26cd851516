import { run } from "./run.ts";

/** A command as its help tells of it. */
interface CommandHelp {
  commands: string[];
  options: string[];
}

/**
 * Completions for bash and zsh, made from what `--help` says: words of the first level, and the options of each. `command` is the
 * program's name on the machine, `argv` runs it here.
 */
export function completions(command: string, argv: readonly string[]): { bash: string; zsh: string } {
  const top = helpOf(argv, []);
  const each = new Map(top.commands.map((name) => [name, helpOf(argv, [name])]));
  const name = `_${command.replaceAll("-", "_")}`;
  const rows = [...each].map(
    ([word, { commands, options }]) => `    ${word}) words="${[...commands, ...options].join(" ")}" ;;`,
  );
  const bash = [
    `# Completion of ${command} for bash.`,
    `${name}() {`,
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's
    "  local word=${COMP_WORDS[COMP_CWORD]} command= words= each",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's
    '  for each in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do case $each in -*) ;; *) command=$each; break ;; esac; done',
    "  case $command in",
    `    "") words="${[...top.commands, ...top.options].join(" ")}" ;;`,
    ...rows,
    "  esac",
    '  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")',
    "}",
    `complete -o default -F ${name} ${command}`,
    "",
  ].join("\n");
  const zsh = [
    `#compdef ${command}`,
    `# Completion of ${command} for zsh.`,
    "local -a line=($words)",
    "local command each",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's
    "for each in ${line[2,CURRENT-1]}; do [[ $each == -* ]] || { command=$each; break }; done",
    "case $command in",
    `  "") compadd -- ${[...top.commands, ...top.options].join(" ")} ;;`,
    ...[...each].map(
      ([word, help]) =>
        `  ${word}) compadd -- ${[...help.commands, ...help.options].join(" ") || "''"}; _files ;;`,
    ),
    "esac",
    "",
  ].join("\n");
  return { bash, zsh };
}

function helpOf(argv: readonly string[], words: readonly string[]): CommandHelp {
  const [program = "", ...args] = argv;
  const lines = helpText(program, [...args, ...words, "--help"]).split("\n");
  const commands = new Set<string>();
  const options = new Set<string>();
  let section = "";
  for (const line of lines) {
    if (/^\S.*:/.test(line)) section = line;
    for (const [, option = ""] of line.matchAll(/(?:^ {2}| )(--[a-z][a-z-]*)/g))
      if (/^ {2}\S/.test(line)) options.add(option);
    const word = /^ {2}([a-z][a-z-]*)(?: |$|\|)/.exec(line)?.[1];
    if (word !== undefined && !/^(Usage|Examples|Exit codes|Arguments|Environment|Options)/.test(section))
      commands.add(word);
  }
  return { commands: [...commands].sort(), options: [...options].sort() };
}

/** A command that hands all its arguments on has no help of its own, and nothing to complete. */
function helpText(program: string, args: readonly string[]): string {
  try {
    return run(program, args, { ...process.env, NO_COLOR: "1" });
  } catch {
    return "";
  }
}
