import { chmodSync, chownSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { AccountChanges } from "./account-note.ts";

/** Removes jobs that are new and puts crontabs back; says what was done. */
export function undoChanges({ jobs, crontabs }: AccountChanges): string[] {
  for (const path of jobs) rmSync(path, { force: true });
  for (const { path, before } of crontabs) {
    if (before === null) rmSync(path, { force: true });
    else {
      // crontab(1) writes so too: cron reads what has a name, whole.
      const temporary = join(dirname(path), "tmp.sallyport");
      rmSync(temporary, { force: true });
      writeFileSync(temporary, Buffer.from(before.text, "base64"), { mode: 0o600, flag: "wx" });
      chownSync(temporary, before.owner, before.group);
      chmodSync(temporary, before.mode);
      renameSync(temporary, path);
    }
  }
  return [
    ...jobs.map((path) => `at job ${path}`),
    ...crontabs.map(({ path, before }) => `${path} ${before === null ? "was removed" : "was put back"}`),
  ];
}
