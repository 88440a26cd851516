import { existsSync, readFileSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { SallyportError } from "@sallyport/core/errors.ts";
import { z } from "zod";
import { readYaml } from "../configuration/agent-config.ts";

/** `/etc/sallyport/enroll.yaml`: what an unattended installation enrols with. It goes when it has been used. */
const EnrolmentFile = z
  .strictObject({
    version: z.literal(1),
    /** The join token itself; the file must then be root's alone. */
    token: z.string().min(1).max(4096).optional(),
    /** Or a file that has it. */
    tokenFile: z.string().startsWith("/").optional(),
  })
  .refine(
    ({ token, tokenFile }) => (token === undefined) !== (tokenFile === undefined),
    "give `token` or `tokenFile`",
  );

/** Where the file lies: beside the pinned trust. */
export function enrolmentFile(trustFile: string): string {
  return join(dirname(trustFile), "enroll.yaml");
}

/**
 * The join token: from `tokenFile` (`-` is standard input), or from {@link EnrolmentFile}. Never an argument: those can be
 * read by anybody. Code `config-missing`, `config-invalid`, `forbidden` for a file that others can read.
 */
export function readJoinToken(tokenFile: string | undefined, trustFile: string): string {
  if (tokenFile !== undefined) return read(tokenFile === "-" ? 0 : tokenFile, tokenFile);
  const path = enrolmentFile(trustFile);
  if (!existsSync(path))
    throw new SallyportError(
      "usage",
      `Say where the join token is: --token-file FILE ("-": standard input), or token or tokenFile in ${path}.`,
    );
  const file = readYaml(path, EnrolmentFile);
  if (file.token === undefined) return read(file.tokenFile ?? "", file.tokenFile ?? "");
  if ((statSync(path).mode & 0o077) !== 0)
    throw new SallyportError(
      "forbidden",
      `${path} holds a token and can be read by others. Run: chmod 600 ${path}`,
    );
  return file.token;
}

/** The token is used up: what had it goes. */
export function removeEnrolmentFile(trustFile: string): void {
  rmSync(enrolmentFile(trustFile), { force: true });
}

function read(file: string | number, name: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new SallyportError("config-missing", `The join token ${name} cannot be read.`, { cause });
  }
}
