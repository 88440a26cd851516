import type { Privilege, SudoCommand } from "@sallyport/core/policy/grants.ts";

/*
 * sudoers(5), as written by us. A line says: this uid, on this host, as that user, without a password (a personal account
 * has none), this program with these arguments. sudo matches arguments with fnmatch(3), or as a regular expression when
 * they begin with ^, after its own lexer took backslashes away; everything that either would act on is escaped, so that an
 * argument means itself.
 */

/** A program that sudo may run, plainly: no directory (that would mean all in it), nothing that sudoers(5) reads. */
const PROGRAM = /^(\/[A-Za-z0-9_+@%-][A-Za-z0-9._+@%-]*)+$/;

/** Why a command cannot be written as a rule that means just it, or null. */
export function sudoCommandProblem(command: SudoCommand): string | null {
  if (!PROGRAM.test(command.program)) return "the program is not a plain absolute path";
  for (const argument of command.arguments ?? []) {
    if (/\p{Cc}/u.test(argument)) return "an argument has a control character";
    // sudo joins arguments with blanks before it compares: where one ends and the next begins would not count.
    if (/\s/u.test(argument)) return "an argument has a blank, and sudo cannot tell it from two arguments";
  }
  return null;
}

/** The text of a member's sudoers file; empty where there is nothing to grant. Commands must be without problem. */
export function sudoersText(uid: number, privileges: readonly Privilege[]): string {
  const specs = new Set<string>();
  for (const privilege of privileges) {
    if (privilege.sudo === "full") specs.add("(ALL:ALL) NOPASSWD: ALL");
    if (privilege.sudo !== "listed") continue;
    for (const command of privilege.commands) {
      if (sudoCommandProblem(command) !== null)
        throw new TypeError("a sudo command that means more than itself");
      specs.add(`(${command.runAs}) NOPASSWD: ${commandText(command)}`);
    }
  }
  if (specs.size === 0) return "";
  // By uid: an account that somebody gives the same name one day gets nothing from it.
  const lines = [...specs].map((spec) => `#${uid} ALL=${spec}`);
  return ["# Written by sallyport-agent from the policy; changes made here are lost.", ...lines, ""].join(
    "\n",
  );
}

function commandText(command: SudoCommand): string {
  if (command.arguments === null) return command.program;
  if (command.arguments.length === 0) return `${command.program} ""`;
  return [command.program, ...command.arguments.map(escapeArgument)].join(" ");
}

/**
 * A backslash passes two readers: the lexer, which takes one of `\\\\`, and fnmatch(3), which takes one more. The lexer
 * knows no escaped double quote, and an argument `""` would mean "no arguments": a set of one character means itself.
 */
function escapeArgument(argument: string): string {
  const ESCAPED: Record<string, string> = { "\\": "\\\\\\\\", '"': '["]' };
  return argument.replace(/[\\,:=#*?[\]!^"]/g, (character) => ESCAPED[character] ?? `\\${character}`);
}
