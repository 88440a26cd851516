import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A directory for the tests of the suite that this is called in; other accounts may look inside. */
export interface TemporaryDirectory {
  readonly path: string;
  file(name: string): string;
}

/** One of its own for every test, or one for all. */
export function temporaryDirectory(per: "test" | "suite" = "test"): TemporaryDirectory {
  let path = "";
  const make = () => {
    path = mkdtempSync(join(tmpdir(), "agent-"));
    chmodSync(path, 0o755);
  };
  const remove = () => rmSync(path, { recursive: true, force: true });
  if (per === "test") {
    beforeEach(make);
    afterEach(remove);
  } else {
    before(make);
    after(remove);
  }
  return {
    get path() {
      return path;
    },
    file: (name) => join(path, name),
  };
}
