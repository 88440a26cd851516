import { confineCommand, landlockAbi } from "@sallyport/agent/confinement/confine.ts";
import type { Stage } from "@sallyport/agent/shim/start-instructions.ts";
import { CommandRule } from "@sallyport/core/commands/command-rule.ts";

/** What a rule says of its confinement, and what a decision by it had found. */
export interface Asked {
  confine?: Partial<CommandRule["confine"]>;
  directory?: string;
  under?: string[];
  abi?: number;
}

/** A command as an engagement's rule has it run. */
export function confined(argv: readonly [string, ...string[]], asked: Asked = {}): Stage {
  const { confine = {}, directory, under = [], abi = landlockAbi() } = asked;
  const [program] = argv;
  const place = directory === undefined ? {} : { directory };
  const rule = CommandRule.parse({ program, confine, ...place });
  const limits = { timeLimit: null, outputLimit: null, confinement: "required" } as const;
  const command = { rule, name: program, program, argv: [...argv], directory: directory ?? "/", under };
  const { layers, noNewPrivileges } = confineCommand({
    decision: { outcome: "allow", ...command, ...limits },
    abi,
    terminal: null,
  });
  return { file: program, arguments: [...argv], directory: directory ?? "/", noNewPrivileges, layers };
}
