import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isSallyportError, SallyportError } from "@sallyport/core/errors.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import type { Context } from "../context.ts";

/** Every comment of ours begins like this, and no other does. */
const OURS = "#| ";
const MAX_ROUNDS = 50;

/**
 * Has a person edit a text in the editor of theirs (`VISUAL`, `EDITOR`, vi), and hands what they saved to `use`. When that
 * finds a mistake, the editor opens again with it in comments at the top. Undefined when they changed nothing, or left
 * nothing but comments. The text lies in a file that only they can read, and is gone afterwards. Code `usage`.
 */
export async function editText<T>(
  context: Context,
  text: string,
  comment: readonly string[],
  use: (text: string, file: string) => Promise<T>,
): Promise<T | undefined> {
  const directory = mkdtempSync(join(context.home, "edit-"));
  const file = join(directory, "engagement.yaml");
  try {
    let [body, notes] = [text, [...comment]];
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const shown = [...notes.map((line) => `${OURS}${line}`), body].join("\n");
      writeFileSync(file, shown, { mode: 0o600 });
      openEditor(context, file);
      const saved = withoutNotes(readFileSync(file, "utf8"));
      if (isEmpty(saved) || saved === text || (round > 0 && saved === body)) return undefined;
      try {
        return await use(saved, "engagement.yaml");
      } catch (error) {
        if (!isSallyportError(error) || !MISTAKES.has(error.code)) throw error;
        notes = [...error.message.split("\n").map((line) => printable(line, 2000)), "", ...comment];
        body = saved;
      }
    }
    return undefined;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
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
