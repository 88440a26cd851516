import { readFileSync } from "node:fs";
import { SallyportError } from "@sallyport/core/errors.ts";
import { writeDurably } from "./durable-file.ts";

/** Reads a state file through its schema; undefined when there is none. Code `config-invalid` for a damaged one. */
export function readJsonFile<T>(path: string, schema: { parse(value: unknown): T }): T | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new SallyportError("config-invalid", `${path} cannot be read.`, { cause: error });
  }
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new SallyportError("config-invalid", `${path} is damaged; delete it and sign in again.`, { cause });
  }
}

/** Writes a state file, mode 0600. */
export function writeJsonFile(path: string, value: unknown): void {
  writeDurably(path, `${JSON.stringify(value, undefined, 2)}\n`);
}
