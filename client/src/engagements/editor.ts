import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isSallyportError, SallyportError } from "@sallyport/core/errors.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import type { Context } from "../context.ts";

/** Every comment of ours begins like this, and no other does. */
const OURS = "#| ";
/** Stands over a text that nobody wrote as it is: leaving it unsaved is no yes to it. */
const CONFIRM = `${OURS}Delete this line to save what is below as it is.`;
const MAX_ROUNDS = 50;

/**
 * Has a person edit a text in the editor of theirs (`VISUAL`, `EDITOR`, vi), and hands what they saved to `use`. When that
 * finds a mistake, the editor opens again with it in comments at the top; when it finds a `conflict`, with what `rebase`
 * makes of the text, where that is something. Undefined when they changed nothing, or left nothing but comments. The text
 * lies in a file that only they can read, and is gone afterwards. Code `usage`, also where there is no terminal and no editor
 * was named.
 */
export async function editText<T>(
  context: Context,
  text: string,
  comment: readonly string[],
  use: (text: string, file: string) => Promise<T>,
  rebase: (text: string, file: string) => Promise<Rebased | undefined> = async () => undefined,
): Promise<T | undefined> {
  checkTerminal(context);
  const directory = mkdtempSync(join(context.home, "edit-"));
  const file = join(directory, "engagement.yaml");
  try {
    let [base, body, notes, confirm] = [text, text, [...comment], false];
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const lines = notes.map((line) => `${OURS}${line}`);
      const shown = [...(confirm ? [CONFIRM] : []), ...lines, body].join("\n");
      writeFileSync(file, shown, { mode: 0o600 });
      openEditor(context, file);
      const left = readFileSync(file, "utf8");
      const saved = withoutNotes(left);
      const isConfirmed = confirm && !left.split("\n").includes(CONFIRM);
      if (isEmpty(saved) || saved === base || (round > 0 && saved === body && !isConfirmed)) return undefined;
      try {
        return await use(saved, "engagement.yaml");
      } catch (error) {
        if (!isSallyportError(error) || !MISTAKES.has(error.code)) throw error;
        const rebased = error.code === "conflict" ? await rebase(saved, "engagement.yaml") : undefined;
        const said = [...error.message.split("\n"), ...(rebased?.notes ?? [])];
        notes = [...said.map((line) => printable(line, 2000)), "", ...comment];
        confirm = rebased !== undefined;
        base = rebased?.base ?? base;
        body = rebased?.body ?? saved;
      }
    }
    return undefined;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** A text that was edited while the stored one changed. */
export interface Rebased {
  /** What is stored now. */
  base: string;
  /** The same with what the person changed. */
  body: string;
  /** What they have to know of it. */
  notes: readonly string[];
}

/** Where nobody sits, an editor that nobody named would wait for good. */
function checkTerminal({ env, stdin, stdout }: Context): void {
  if (env.VISUAL || env.EDITOR || (stdin?.isTTY && stdout.isTTY)) return;
  throw new SallyportError(
    "usage",
    "There is no terminal to edit in. Give all fields with --file FILE (- for standard input), or those to change as options.",
  );
}

/** What another try can mend. */
const MISTAKES: ReadonlySet<string> = new Set(["config-invalid", "message-malformed", "conflict"]);

function openEditor(context: Context, file: string): void {
  const editor = context.env.VISUAL || context.env.EDITOR || "vi";
  // As git has it: the editor is a shell's command, so that `code --wait` works; the file is never part of its text.
  const { status, error } = spawnSync("/bin/sh", ["-c", `${editor} "$1"`, editor, file], {
    stdio: "inherit",
  });
  if (error === undefined && status === 0) return;
  throw new SallyportError(
    "usage",
    `The editor ${printable(editor, 100)} did not end well, so nothing was changed; set EDITOR to one that is there.`,
  );
}

function withoutNotes(text: string): string {
  return text
    .split("\n")
    .filter((line) => !line.startsWith(OURS.trimEnd()))
    .join("\n");
}

function isEmpty(text: string): boolean {
  return text.split("\n").every((line) => line.trim() === "" || line.trimStart().startsWith("#"));
}
