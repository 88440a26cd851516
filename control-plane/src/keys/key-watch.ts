import { KeyKind } from "@sallyport/core/messages/key-succession.ts";
import type { Environment } from "../environment.ts";
import { errorFields } from "../log.ts";
import { type RotationNeeds, switchWhenReady } from "./rotation.ts";

const EVERY_MS = 1000;

type Needs = RotationNeeds & { environment: Pick<Environment, "log"> };

/** Follows rotations that were begun or finished elsewhere, and takes the step that is ready. */
export class KeyWatch {
  readonly #needs: Needs;
  #told: string;
  readonly #tellHosts: () => void;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #trouble = "";

  /** `tellHosts` is called when what hosts are to trust, or who signs, has changed. */
  constructor(needs: Needs, tellHosts: () => void) {
    this.#needs = needs;
    this.#tellHosts = tellHosts;
    this.#told = needs.keys.version;
  }

  /** Begins to look, once a second, and says once which key files are not encrypted. */
  start(): void {
    const { keys, environment } = this.#needs;
    const files = keys.ring.unencrypted;
    if (files.length > 0)
      environment.log.warn("keys are not encrypted at rest: encrypt-keys, or an ssh-agent, mends that", {
        files,
      });
    this.#timer = setInterval(() => {
      this.#looking ??= this.#look().finally(() => {
        this.#looking = undefined;
      });
    }, EVERY_MS);
    this.#timer.unref();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
  }

  async #look(): Promise<void> {
    const { keys, db, environment } = this.#needs;
    try {
      await keys.load(db);
      for (const kind of KeyKind.options) {
        if (keys.trusted(kind).length < 2 || keys.isSwitched(kind)) continue;
        if (!(await switchWhenReady(this.#needs, kind, false))) continue;
        environment.log.info("the new key signs now", { kind });
        await keys.load(db);
      }
      if (keys.version !== this.#told) {
        this.#told = keys.version;
        this.#tellHosts();
      }
      this.#trouble = "";
    } catch (error) {
      if (String(error) !== this.#trouble) environment.log.error("keys not looked at", errorFields(error));
      this.#trouble = String(error);
    }
  }
}
