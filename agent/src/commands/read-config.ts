import { existsSync } from "node:fs";
import { AgentConfig, readAgentConfig } from "../configuration/agent-config.ts";
import { layOutPaths, type Paths } from "../configuration/paths.ts";

/** The configuration; without a file every default holds. Codes `config-missing`, `config-invalid`. */
export function readConfig(file: string): AgentConfig {
  return existsSync(file) ? readAgentConfig(file) : AgentConfig.parse({ version: 1 });
}

/** The paths that hang on the configuration in `file`. Codes as {@link readConfig}. */
export function pathsOf(file: string): Paths {
  return layOutPaths(readConfig(file).stateDirectory);
}
