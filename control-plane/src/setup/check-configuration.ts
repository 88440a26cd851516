import { execFileSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { isSallyportError, SallyportError } from "@sallyport/core/errors.ts";
import { type ReadYaml, readYaml } from "@sallyport/core/yaml/read-yaml.ts";
import { Configuration } from "../config/configuration.ts";
import { readTlsFiles } from "../listen/tls-files.ts";
import { keyDescription } from "./key-description.ts";
import { isRoot, SERVICE_USER, serviceUser } from "./service-user.ts";

/** A problem in what the reader says: `file:line:column: "key.path" is …`. */
const PROBLEM = /: "([\w.]+)" is (?:missing|wrong)/;

/**
 * Checks a configuration as a start would, and that the files which it names can be read, by the service too where its user is known.
 * Code `config-invalid`; each line of the message says file, line and column, and below it stands what the key means.
 */
export function checkConfiguration(text: string, file: string): Configuration {
  const read = explained(() => readYaml(text, file, Configuration));
  checkFiles(read);
  const { tls } = read.value;
  if (tls !== undefined)
    try {
      readTlsFiles(tls);
    } catch (error) {
      if (isSallyportError(error)) throw read.errorAt(["tls"], `"tls" is wrong: ${error.message}`);
      throw error;
    }
  return read.value;
}

function explained<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!isSallyportError(error, "config-invalid")) throw error;
    const lines = error.message.split("\n").flatMap((line) => {
      const key = PROBLEM.exec(line)?.[1];
      const meaning = key === undefined ? undefined : keyDescription(Configuration, key.split("."));
      return meaning === undefined ? [line] : [line, `    ${key}: ${meaning}`];
    });
    throw new SallyportError("config-invalid", lines.join("\n"), { cause: error });
  }
}

/** All keys whose name ends with File are names of files that are read. */
function checkFiles({ value, errorAt }: ReadYaml<Configuration>): void {
  for (const { path, file } of namedFiles(value)) {
    const key = `"${path.join(".")}"`;
    try {
      accessSync(file, constants.R_OK);
    } catch (error) {
      const why = (error as NodeJS.ErrnoException).code === "ENOENT" ? "is not there" : "cannot be read";
      throw errorAt(path, `${key} is wrong: ${file} ${why}; put it there, or name the right file`);
    }
    const user = isRoot() ? serviceUser() : undefined;
    if (user !== undefined && !isReadableBy(user, file))
      throw errorAt(
        path,
        `${key} is wrong: the service's user cannot read ${file}: chgrp ${SERVICE_USER} ${file} && chmod 640 ${file}, and let it into its directories`,
      );
  }
}

function namedFiles(
  value: unknown,
  path: (string | number)[] = [],
): { path: (string | number)[]; file: string }[] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => {
    const at = [...path, Array.isArray(value) ? Number(name) : name];
    if (typeof inner === "string" && name.endsWith("File")) return [{ path: at, file: inner }];
    return namedFiles(inner, at);
  });
}

/** Asked of the kernel, as that user: directories above, groups and lists of access count too. */
function isReadableBy({ uid, gid }: { uid: number; gid: number }, file: string): boolean {
  try {
    const args = [`--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", "test", "-r", file];
    execFileSync("setpriv", args, { stdio: "ignore", env: { PATH: "/usr/bin:/bin" }, timeout: 5000 });
    return true;
  } catch {
    return false;
  }
}
