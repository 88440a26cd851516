import { readFileSync } from "node:fs";
import { SallyportError } from "@sallyport/core/errors.ts";
import { layOutPaths } from "../configuration/paths.ts";
import { enrol } from "../enrolment/enrol.ts";
import { readConfig } from "./read-config.ts";

/** `sallyport-agent enroll`. `tokenFile` is a path, or `-` for standard input: a token is never an argument. */
export async function enrollCommand(options: {
  config: string;
  tokenFile: string;
  say(sentence: string): void;
}): Promise<void> {
  const { tokenFile, say } = options;
  const config = readConfig(options.config);
  const token = readToken(tokenFile);
  const paths = layOutPaths(config.stateDirectory);
  const { hostName, keyFingerprint } = await enrol({ config, paths, token, say });
  say(
    `Enrolled as ${hostName}. Its recordings are signed by ${keyFingerprint}: note it, to compare with: sallyport verify`,
  );
  say("Now reload sshd (systemctl reload ssh) and start the agent: sallyport-agent run");
}

function readToken(file: string): string {
  try {
    return readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (cause) {
    throw new SallyportError("config-missing", `The join token ${file} cannot be read.`, { cause });
  }
}
