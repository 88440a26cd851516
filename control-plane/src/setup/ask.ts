import { createInterface } from "node:readline/promises";
import { SallyportError } from "@sallyport/core/errors.ts";
import type { CommandContext } from "../commands/command.ts";
import type { Answers } from "./answers.ts";
import { type Machine, problemWith, type Question, whyOf } from "./questions.ts";

/**
 * Takes what is given, and of the rest what is usual. Code `usage` naming what nobody can guess, or what is wrong with an answer.
 */
export function fillIn(questions: readonly Question[], given: Answers, machine: Machine): Answers {
  const answers: Answers = { ...given };
  const problems: string[] = [];
  for (const question of questions) {
    if (question.arises?.(answers) === false) continue;
    answers[question.key] ??= question.usual?.(answers, machine);
    const problem = problemWith(question, answers);
    if (problem !== undefined) problems.push(`${question.key} (${question.text}): ${problem}`);
  }
  if (problems.length > 0)
    throw new SallyportError(
      "usage",
      `Nothing was written. These answers are missing or wrong:\n  ${problems.join("\n  ")}\n`,
    );
  return answers;
}

/** Asks for all that is not given, each until the answer is right. Code `usage` when there is no more input. */
export async function askFor(
  questions: readonly Question[],
  given: Answers,
  machine: Machine,
  { stdin, stderr }: Pick<CommandContext, "stdin" | "stderr">,
): Promise<Answers> {
  if (stdin === undefined) return fillIn(questions, given, machine);
  const lines = createInterface({ input: stdin, output: stderr as NodeJS.WritableStream, terminal: true });
  const over = new AbortController();
  lines.once("close", () => over.abort());
  const answers: Answers = { ...given };
  try {
    for (const question of questions) {
      if (question.arises?.(answers) === false) continue;
      if (answers[question.key] !== undefined && problemWith(question, answers) === undefined) continue;
      const usual = question.usual?.(answers, machine);
      stderr.write(`\n${whyOf(question, answers)}\n`);
      for (let problem: string | undefined = "not asked"; problem !== undefined; ) {
        const choices = question.choices === undefined ? "" : ` (${question.choices.join(", ")})`;
        const prompt = `${question.text}${choices}${usual === undefined ? "" : ` [${usual}]`}: `;
        const answer = (await lines.question(prompt, { signal: over.signal })).trim();
        answers[question.key] = answer === "" ? usual : answer;
        problem = problemWith(question, answers);
        if (problem !== undefined) stderr.write(`  Not so: ${problem}.\n`);
      }
    }
    return answers;
  } catch (error) {
    if (over.signal.aborted) throw new SallyportError("usage", "Setup was ended; nothing was written.");
    throw error;
  } finally {
    lines.close();
  }
}
