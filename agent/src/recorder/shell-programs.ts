/*
 * Programs that run a shell, or hooks, on the far side: people start them without knowing, so the refusal says what they
 * need. Only words of a refusal hang on this, never what is allowed.
 */

const SHELLS = new Set(["sh", "bash", "dash", "ash", "zsh", "ksh", "fish", "csh", "tcsh"]);
const GIT = new Set(["git-receive-pack", "git-upload-pack", "git-upload-archive"]);

/** A sentence for a line whose program needs a shell, or null. `words` is the line as it was split, or as it begins. */
export function shellHint(words: readonly string[]): string | null {
  const program = words[0]?.slice(words[0].lastIndexOf("/") + 1) ?? "";
  const needs = "needs an engagement with mode: shell";
  if (GIT.has(program) || (program === "git" && GIT.has(`git-${words[1]}`)))
    return `Git over ssh starts ${program}, which runs hooks and helpers: it ${needs}.`;
  if (!SHELLS.has(program)) return null;
  if (words.includes("-c"))
    return `This runs a shell here, as Ansible and many editors do: such a program ${needs}.`;
  if (words.includes("-s"))
    return `This feeds a shell from standard input, as VS Code and others do: such a program ${needs}.`;
  return `There is no shell: a shell ${needs}.`;
}
