import {
  accessSync,
  chownSync,
  closeSync,
  constants,
  fchmodSync,
  fsyncSync,
  linkSync,
  openSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { SallyportError } from "@sallyport/core/errors.ts";
import { syncDirectory } from "../keys/durable-file.ts";
import { isRoot, serviceUser } from "./service-user.ts";

/**
 * Writes a configuration that only root and the service's group read (0640), whole or not at all, and never in the place of another:
 * code `conflict` then.
 */
export function placeConfiguration(file: string, text: string): void {
  const temporary = `${file}.new`;
  try {
    rmSync(temporary, { force: true });
    const descriptor = openSync(temporary, "wx", 0o600);
    try {
      writeFileSync(descriptor, text);
      const group = serviceUser()?.gid;
      if (isRoot() && group !== undefined) {
        chownSync(temporary, 0, group);
        fchmodSync(descriptor, 0o640);
      }
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    linkSync(temporary, file);
  } catch (cause) {
    const { code = "" } = cause as NodeJS.ErrnoException;
    if (code === "EEXIST")
      throw new SallyportError("conflict", `${file} is there already, and stays as it is.`, { cause });
    throw new SallyportError("internal", `${file} cannot be written (${code}); run this as root.`, { cause });
  } finally {
    rmSync(temporary, { force: true });
  }
  syncDirectory(dirname(file));
}

/** Before anybody is asked for anything: code `usage` where the file could not be written in the end. */
export function refuseUnwritable(file: string): void {
  try {
    accessSync(dirname(file), constants.W_OK);
  } catch (cause) {
    throw new SallyportError(
      "usage",
      `${dirname(file)} cannot be written to: run this as root, or name another file with --config.`,
      { cause },
    );
  }
}
