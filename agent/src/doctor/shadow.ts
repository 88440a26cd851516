import { existsSync, readFileSync } from "node:fs";

/** What shadow(5) has of an account, but for the password itself. */
export interface ShadowEntry {
  /** The password begins with `!`: locked by `usermod --lock`, or never set. */
  locked: boolean;
  /** Day since the epoch from which on the account may not be used; null: never. */
  expires: number | null;
}

/** The accounts of shadow(5) by name. */
export function shadowEntries(path = "/etc/shadow"): Map<string, ShadowEntry> {
  const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n") : [];
  return new Map(
    lines.flatMap((line) => {
      const [name, password = "", , , , , , expires = ""] = line.split(":");
      if (!name) return [];
      return [[name, { locked: password.startsWith("!"), expires: expires === "" ? null : Number(expires) }]];
    }),
  );
}
