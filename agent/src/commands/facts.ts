import { gatherFacts } from "../facts/gather-facts.ts";
import { readConfig } from "./read-config.ts";

/** `sallyport-agent facts`, which the agent alone starts: facts about this host as JSON. */
export async function factsCommand(options: {
  config: string;
  version: string;
  now(): number;
}): Promise<string> {
  const { sshd } = readConfig(options.config);
  return `${JSON.stringify(await gatherFacts(options.version, sshd, options.now()))}\n`;
}
