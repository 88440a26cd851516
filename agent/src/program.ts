import { isSallyportError } from "@sallyport/core/errors.ts";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";

/** What the command line needs of the process that it runs in. */
export interface Surroundings {
  version: string;
  stdout: { write(text: string): unknown; columns?: number; isTTY?: boolean };
  stderr: { write(text: string): unknown; columns?: number };
  env: NodeJS.ProcessEnv;
  /** Program and arguments that run this command line with further arguments. */
  self(args: string[]): [string, string[]];
  /** Seconds since the epoch. */
  now(): number;
}

const EXIT_HELP = `Exit codes:
  0  done, or all is well
  1  it could not be done
  2  the command line is wrong
  3  status: no agent runs; doctor: there are warnings
  4  doctor: something is wrong`;

/** Runs one command line; resolves with the exit status. Commands are loaded when they are called. */
export async function run(args: readonly string[], surroundings: Surroundings): Promise<number> {
  let status = 0;
  try {
    await buildProgram(surroundings, (code) => (status = code)).parseAsync(args, { from: "user" });
    return status;
  } catch (error) {
    // commander has printed the help or the complaint itself.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const known = isSallyportError(error);
    surroundings.stderr.write(
      `sallyport-agent: ${known ? error.message : `unexpected error: ${String(error)}`}\n`,
    );
    return known && error.code === "usage" ? 2 : 1;
  }
}

function buildProgram(around: Surroundings, onStatus: (status: number) => void): Command {
  const program = new Command("sallyport-agent")
    .description("The host agent of Sallyport: admits contractors' logins and records their sessions.")
    .version(around.version, "-V, --version", "print the version")
    .option("--config <file>", "configuration; absent means all defaults", "/etc/sallyport/agent.yaml")
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void around.stdout.write(text),
      writeErr: (text) => void around.stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, "sallyport-agent: ")),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
      getOutHelpWidth: () => Math.min(around.stdout.columns ?? 100, 100),
      getErrHelpWidth: () => Math.min(around.stderr.columns ?? 100, 100),
    })
    .showHelpAfterError("(see: sallyport-agent --help)")
    .addHelpText("after", `\n${EXIT_HELP}`);
  const config = (): string => program.opts<{ config: string }>().config;
  const say = (sentence: string): void => void around.stderr.write(`${sentence}\n`);
  const write = (text: string): void => void around.stdout.write(text);

  program.commandsGroup("Membership of this host:");
  program
    .command("enroll")
    .summary("join a control plane")
    .description(
      "Join a control plane. Nothing is changed until everything is fetched and checked; where sshd refuses its new settings, all is put back.",
    )
    .option(
      "--token-file <file>",
      'the join token; "-" reads it from standard input; default: what /etc/sallyport/enroll.yaml says',
    )
    .addHelpText(
      "after",
      examples("enroll --token-file join-token", "enroll --token-file - < join-token", "enroll"),
    )
    .action(async ({ tokenFile }: { tokenFile?: string }) => {
      const { enrollCommand } = await import("./commands/enroll.ts");
      const { version, now, stdout, env } = around;
      const colours = stdout.isTTY === true && !env.NO_COLOR;
      onStatus(await enrollCommand({ config: config(), tokenFile, version, colours, now, say, write }));
    });
  program
    .command("leave")
    .summary("undo enrolment")
    .description(
      "Undo enrolment: nobody new is let in, sessions end, recordings are uploaded, the service stops, and sshd's settings, certificates, the pinned trust and the host's key go. Shared accounts stay; members' own go.",
    )
    .option("--force", "leave recordings behind that are not uploaded yet", false)
    .addOption(
      new Option("--sessions <what>", "end open sessions, or wait until they have ended (drain)")
        .choices(["end", "drain"])
        .default("end"),
    )
    .addHelpText("after", examples("leave", "leave --sessions drain", "leave --force"))
    .action(async ({ force, sessions }: { force: boolean; sessions: "end" | "drain" }) => {
      const { leaveCommand } = await import("./commands/leave.ts");
      await leaveCommand({ config: config(), force, sessions, say, now: around.now });
    });

  program.commandsGroup("The service:");
  program
    .command("run")
    .summary("answer sshd's questions and record sessions")
    .description(
      "Answer sshd's questions and record sessions, until SIGTERM or SIGINT; what the service runs. Sessions go on when it ends.",
    )
    .addOption(
      new Option(
        "--recorder-unit <name>",
        "start recorders as instances of this unit of systemd, not as children",
      ).argParser(unitName),
    )
    .addHelpText(
      "after",
      examples("run", "run --config /etc/sallyport/agent.yaml", "run --recorder-unit sallyport-recorder"),
    )
    .action(async ({ recorderUnit = null }: { recorderUnit?: string | null }) => {
      const { runCommand } = await import("./commands/run.ts");
      const { version, self, env } = around;
      await runCommand({ config: config(), version, self, env, recorderUnit });
    });

  const clock = program.command("clock").summary("the clock that access is judged by");
  clock
    .command("accept")
    .summary("say that the clock is right as it is now")
    .description(
      "For a clock that was ahead and has been mended: logins are refused (clock-set-back) until the control plane confirms the time, or you do.",
    )
    .addHelpText("after", examples("clock accept"))
    .action(async () => {
      const { acceptClock } = await import("./clock/accept-clock.ts");
      const { pathsOf } = await import("./commands/read-config.ts");
      const now = new Date(around.now() * 1000);
      acceptClock(pathsOf(config()).clockAccepted, now);
      say(`The agent takes it that it is ${now.toISOString()} now.`);
    });
  const policy = program.command("policy").summary("the policies of this host itself");
  policy
    .command("check")
    .summary("look for mistakes in local policies")
    .description(
      "Check policy files before they are put in place, or those that are. Exit code 1: there are mistakes.",
    )
    .argument("[file...]", "default: all of /etc/sallyport/policy.d")
    .addHelpText("after", examples("policy check", "policy check ./10-hours.yaml"))
    .action(async (files: string[]) => {
      const { policyCheckCommand } = await import("./commands/policy-check.ts");
      onStatus(policyCheckCommand({ config: config(), files, write, say }));
    });

  program.commandsGroup("Is everything well?");
  program
    .command("status")
    .summary("what the running agent is doing")
    .description(
      "Policy, lease, sessions, spool and uplink, as the running agent tells them. Exit code 3: no agent runs.",
    )
    .option("--json", "as one JSON object", false)
    .addHelpText("after", examples("status", "status --json"))
    .action(async ({ json }: { json: boolean }) => {
      const { statusCommand } = await import("./status/status-command.ts");
      const { pathsOf } = await import("./commands/read-config.ts");
      onStatus(await statusCommand({ paths: pathsOf(config()), json, now: around.now, write, say }));
    });
  program
    .command("doctor")
    .summary("look for what is wrong, why it matters, and what mends it")
    .description(
      "Check sshd's effective settings, files, the agent, clock, disk, network, kernel and accounts. Changes nothing. Exit code 3: warnings, 4: errors.",
    )
    .option("--json", "as one JSON object", false)
    .addHelpText("after", examples("doctor", "doctor --json"))
    .action(async ({ json }: { json: boolean }) => {
      const { doctorCommand } = await import("./doctor/doctor-command.ts");
      const { env, stdout, version, now } = around;
      const colours = stdout.isTTY === true && !env.NO_COLOR && !json;
      onStatus(await doctorCommand({ config: config(), json, colours, version, now, write }));
    });

  program
    .command("recorder", { hidden: true })
    .addOption(new Option("--id <id>").makeOptionMandatory())
    .action(async ({ id }: { id: string }) => {
      const { recorderCommand } = await import("./commands/recorder.ts");
      recorderCommand({ config: config(), id, version: around.version });
    });
  program.command("facts", { hidden: true }).action(async () => {
    const { factsCommand } = await import("./commands/facts.ts");
    write(await factsCommand({ config: config(), version: around.version, now: around.now }));
  });
  return program;
}

/** A name of a unit template, without `@.service`. */
function unitName(text: string): string {
  if (/^[a-z][a-z0-9-]{0,63}$/.test(text)) return text;
  throw new InvalidArgumentError("a unit's name has lower-case letters, digits and -");
}

function examples(...lines: string[]): string {
  return `\nExamples:\n${lines.map((line) => `  sallyport-agent ${line}`).join("\n")}`;
}
