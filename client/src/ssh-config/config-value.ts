import { isIP } from "node:net";
import { SallyportError } from "@sallyport/core/errors.ts";
import type { ReachableHost } from "@sallyport/core/messages/client-api.ts";
import { AccountName, HostName } from "@sallyport/core/names.ts";

/*
 * What reaches an ssh_config is allow-listed here: ssh_config has no way to quote a quote, gives meaning to %, $, *, ?
 * and !, and a `Match exec` line goes to a shell.
 */

const ADDRESS = /^[A-Za-z0-9]([A-Za-z0-9-]{0,62})(\.[A-Za-z0-9]([A-Za-z0-9-]{0,62}))*\.?$/;
const FORBIDDEN_IN_PATHS = /["'\\$*?[\]\p{Cc}]/u;

/** A host as the ssh_config may have it. */
export interface PlainHost {
  name: string;
  address: string;
  port: number;
  /** The account to log in to when the user names none; null when there is none to choose. */
  account: string | null;
}

/** The host, if every part of it may stand in an ssh_config; undefined otherwise. */
export function plainHost(host: ReachableHost): PlainHost | undefined {
  const name = HostName.safeParse(host.name);
  if (!name.success || !isAddress(host.address)) return undefined;
  const account = host.accounts.find((each) => AccountName.safeParse(each).success);
  if (account === undefined && host.accounts.length > 0) return undefined;
  return { name: name.data, address: host.address, port: host.port, account: account ?? null };
}

function isAddress(address: string): boolean {
  return address.length <= 253 && (ADDRESS.test(address) || (isIP(address) === 6 && !address.includes("%")));
}

/** A path as the argument of a keyword, quoted, with % doubled. Code `config-invalid` for one that cannot be written. */
export function quotedPath(path: string): string {
  return `"${assertPlainPath(path).replaceAll("%", "%%")}"`;
}

/** A path as a word of a shell command. Code `config-invalid`. */
export function shellWord(path: string): string {
  return `'${assertPlainPath(path)}'`;
}

/** Returns the path if ssh_config can hold it. Code `config-invalid`. */
export function assertPlainPath(path: string): string {
  if (!FORBIDDEN_IN_PATHS.test(path)) return path;
  throw new SallyportError(
    "config-invalid",
    `An ssh_config cannot hold the path ${JSON.stringify(path)}: quotes, backslashes, $ * ? [ ] have a meaning in it. Choose another SALLYPORT_HOME.`,
  );
}
