import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { SallyportError } from "@sallyport/core/errors.ts";

const TIMEOUT_MS = 10_000;

/** What sshd would do with somebody, by keyword in lower case; a keyword may have several values. */
export type EffectiveSettings = ReadonlyMap<string, readonly string[]>;

/**
 * Asks sshd itself (`sshd -T -C`) what holds for an account that comes from an address. Code `config-invalid`: it
 * refuses its configuration; the message is sshd's.
 */
export async function effectiveSettings(
  sshd: string,
  account: string,
  address: string,
): Promise<EffectiveSettings> {
  const spec = `user=${account},host=${address},addr=${address},laddr=127.0.0.1,lport=22`;
  try {
    const { stdout } = await promisify(execFile)(sshd, ["-T", "-C", spec], { timeout: TIMEOUT_MS });
    return parseSettings(stdout);
  } catch (cause) {
    const { stderr, message } = cause as { stderr?: string; message: string };
    const reason = stderr?.trim().split("\n").at(-1) || message;
    throw new SallyportError("config-invalid", reason, { cause });
  }
}

/** Parses what `sshd -T` prints: keyword, blank, value. */
export function parseSettings(text: string): EffectiveSettings {
  const settings = new Map<string, string[]>();
  for (const line of text.split("\n")) {
    const blank = line.indexOf(" ");
    if (blank === -1) continue;
    const keyword = line.slice(0, blank).toLowerCase();
    settings.set(keyword, [...(settings.get(keyword) ?? []), line.slice(blank + 1).trim()]);
  }
  return settings;
}
