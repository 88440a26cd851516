import { readFileSync } from "node:fs";
import { SallyportError } from "@sallyport/core/errors.ts";
import { readYaml } from "@sallyport/core/yaml/read-yaml.ts";
import { Configuration } from "./configuration.ts";

/** Reads the configuration file. Codes `config-missing`, `config-invalid`; the result is frozen. */
export function loadConfiguration(file: string): Readonly<Configuration> {
  return Object.freeze(readYaml(readConfigFile(file), file, Configuration).value);
}

/** The text of a configuration file of ours. Code `config-missing` when it cannot be read. */
export function readConfigFile(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    const why = cause instanceof Error && "code" in cause ? ` (${String(cause.code)})` : "";
    throw new SallyportError(
      "config-missing",
      `${file} cannot be read${why}; check the path and its permissions.`,
      {
        cause,
      },
    );
  }
}
