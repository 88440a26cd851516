import { allLocalPolicies, checkLocalPolicies } from "../policy/local-policy-file.ts";
import { readConfig } from "./read-config.ts";

export interface PolicyCheck {
  /** Path of the configuration. */
  config: string;
  /** Those to check; none means all that are in place. */
  files: readonly string[];
  write(text: string): void;
  say(sentence: string): void;
}

/** `sallyport-agent policy check`: one line for each file. Returns the exit status. */
export function policyCheckCommand({ config, files, write, say }: PolicyCheck): number {
  const checked = checkLocalPolicies(
    files.length > 0 ? files : allLocalPolicies(readConfig(config).localPolicyDirectory),
  );
  for (const { file, error } of checked) write(`${error ?? `${file}: right`}\n`);
  if (checked.length === 0) say("There are no local policies.");
  return checked.some(({ error }) => error !== null) ? 1 : 0;
}
