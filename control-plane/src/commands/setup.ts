import { existsSync } from "node:fs";
import { hostname } from "node:os";
import { isSallyportError } from "@sallyport/core/errors.ts";
import type { Command } from "commander";
import type { Configuration } from "../config/configuration.ts";
import { readConfigFile } from "../config/load-configuration.ts";
import { PROGRAM_NAME } from "../program-name.ts";
import { type Answers, configurationText, readAnswers } from "../setup/answers.ts";
import { askFor, fillIn } from "../setup/ask.ts";
import { checkConfiguration } from "../setup/check-configuration.ts";
import { describeServing } from "../setup/describe-serving.ts";
import { QUESTIONS, START, TRY_AGAIN } from "../setup/questions.ts";
import { isRoot } from "../setup/service-user.ts";
import { hasService, startService } from "../setup/start-service.ts";
import { tryIssuers } from "../setup/try-issuer.ts";
import { placeConfiguration, refuseUnwritable } from "../setup/write-configuration.ts";
import { addCommand, type CommandContext, DEFAULT_CONFIGURATION, examples } from "./command.ts";

/** Where the unit lets the service write. */
const STATE_DIRECTORY = "/var/lib/sallyport-control-plane";

type Options = { config: string; answers?: string } & Answers;

/** `setup` */
export function registerSetup(program: Command, context: CommandContext): void {
  const command = addCommand(program, "setup")
    .summary("make a configuration by questions, and start the service")
    .description(
      "Asks for what a control plane needs, checks it, writes the configuration, and starts the service. A configuration that is there is never changed: setup goes on behind it. Whatever is given as an option, or in a file of answers, is not asked.",
    )
    .option(
      "--answers <file>",
      "answers as YAML, by the names of these options in camelCase; nothing is asked",
    );
  for (const { key, text, choices } of [...QUESTIONS, START]) {
    // A secret does not go into an argument, which everybody on the machine reads.
    if (key === "clientSecret") continue;
    const about = `${text}${choices === undefined ? "" : `: ${choices.join(", ")}`}`;
    command.option(`--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} <answer>`, about);
  }
  command
    .addHelpText("after", examples("setup --preset okta", "setup --answers answers.yaml", "setup"))
    .action((options: Options) => setup(context, options));
}

async function setup(
  context: CommandContext,
  { config: file, answers: answersFile, ...given }: Options,
): Promise<void> {
  const { stderr } = context;
  const known: Answers = { ...(answersFile === undefined ? {} : readAnswers(answersFile)), ...given };
  const isAsking = answersFile === undefined && context.stdin?.isTTY === true;
  const answer = async (questions: typeof QUESTIONS) =>
    isAsking
      ? askFor(questions, known, { hostname: hostname() }, context)
      : fillIn(questions, known, { hostname: hostname() });
  if (existsSync(file)) stderr.write(`${file} is there already, and stays as it is.\n`);
  else {
    refuseUnwritable(file);
    const answers = await answer(QUESTIONS);
    const text = configurationText(answers);
    const config = checkConfiguration(text, file);
    for (let trying = answers.tryIssuer; trying === "yes"; )
      try {
        stderr.write(`${(await tryIssuers(config)).join("\n")}\n`);
        break;
      } catch (error) {
        if (!isAsking || !isSallyportError(error, "issuer-unreachable")) throw error;
        stderr.write(`\n${error.message}\n`);
        trying = (await askFor([TRY_AGAIN], {}, { hostname: hostname() }, context)).tryIssuer;
      }
    placeConfiguration(file, text);
    stderr.write(`${file} is written.\n`);
  }
  const config = checkConfiguration(readConfigFile(file), file);
  stderr.write(`\n${describeServing(config, context).join("\n")}\n\n`);
  const isRunning = await start(config, file, answer, stderr);
  stderr.write(`${nextSteps(config, file, isRunning).join("\n")}\n`);
}

/** Only the package's own service, with its own configuration. */
async function start(
  config: Configuration,
  file: string,
  answer: (questions: typeof QUESTIONS) => Promise<Answers>,
  stderr: CommandContext["stderr"],
): Promise<boolean> {
  if (!hasService() || !isRoot() || file !== DEFAULT_CONFIGURATION) return false;
  if (config.dataDirectory !== STATE_DIRECTORY) {
    stderr.write(
      `The service may write below ${STATE_DIRECTORY} only. For ${config.dataDirectory}: systemctl edit sallyport-control-plane, with\n` +
        `  [Service]\n  ReadWritePaths=${config.dataDirectory}\n` +
        "and have the directory belong to sallyport-control-plane. With AppArmor, a line in /etc/apparmor.d/local/sallyport-control-plane as well.\n",
    );
    return false;
  }
  if ((await answer([START])).start !== "yes") return false;
  await startService(config);
  stderr.write("The service runs, and starts at every boot.\n");
  return true;
}

function nextSteps({ url, staff }: Configuration, file: string, isRunning: boolean): string[] {
  const how = PROGRAM_NAME.startsWith("node")
    ? `${PROGRAM_NAME} serve --config ${file}`
    : "systemctl enable --now sallyport-control-plane";
  return [
    "Next:",
    ...(isRunning ? [] : [`  ${how}`]),
    `  sallyport login --server ${url}`,
    `      on your own machine${staff[0] === undefined ? "" : `, as ${staff[0].email}`}`,
    `  ${PROGRAM_NAME} join-token --config ${file} --name HOST --address ADDRESS`,
    `      here, for each server; then there: sallyport-agent enroll --server ${url} --token-file FILE`,
    `  ${PROGRAM_NAME} backup --config ${file} --out FILE`,
    "      once now, for the keys: without them every host has to be enrolled anew",
  ];
}
