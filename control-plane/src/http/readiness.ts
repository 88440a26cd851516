import { randomUUID } from "node:crypto";
import { access, constants, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { SallyportError } from "@sallyport/core/errors.ts";
import { revocationSequence } from "../database/revocations.ts";
import { errorFields } from "../log.ts";
import type { Services } from "./services.ts";

/** For how long a result counts, in milliseconds: anybody may ask, and each check writes to the disk. */
const FRESH = 2000;
/** Longest that one check may take, in milliseconds. */
const PATIENCE = 5000;

type Needs = Pick<Services, "db" | "environment" | "config">;

/** Says whether this replica can do its work: database, keys and recordings. */
export class Readiness {
  readonly #needs: Needs;
  #failed: Promise<string[]> | undefined;
  #until = 0;

  constructor(needs: Needs) {
    this.#needs = needs;
  }

  /** Resolves when all is well. Code `not-ready`, with the names of what is not; the log has the reasons. */
  async check(): Promise<void> {
    const now = performance.now();
    if (this.#failed === undefined || now >= this.#until) {
      this.#until = now + FRESH;
      this.#failed = this.#look();
    }
    const failed = await this.#failed;
    if (failed.length > 0)
      throw new SallyportError(
        "not-ready",
        `Not ready: ${failed.join(", ")}. The control plane's log says why.`,
      );
  }

  async #look(): Promise<string[]> {
    const { db, config } = this.#needs;
    const { dataDirectory } = config;
    const checks: Record<string, () => Promise<unknown>> = {
      database: () => revocationSequence(db),
      keys: () => access(join(dataDirectory, "keys"), constants.R_OK | constants.X_OK),
      recordings: () => writeAndRemove(join(dataDirectory, "recordings")),
    };
    const failed = await Promise.all(
      Object.entries(checks).map(async ([name, check]) => {
        try {
          await inTime(check());
          return [];
        } catch (error) {
          this.#needs.environment.log.error("not ready", { check: name, ...errorFields(error) });
          return [name];
        }
      }),
    );
    return failed.flat();
  }
}

/** Permissions alone say nothing of a full disk, or of one that is mounted read-only. */
async function writeAndRemove(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const file = join(directory, `.ready-${randomUUID()}`);
  await writeFile(file, "ready\n", { mode: 0o600, flag: "wx" });
  await rm(file);
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${PATIENCE / 1000} s`)), PATIENCE);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
