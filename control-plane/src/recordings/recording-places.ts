import { SallyportError } from "@sallyport/core/errors.ts";
import type { RecordingsTable } from "../database/tables.ts";
import type { BlockStorage } from "./block-storage.ts";

/** What `recordings.storage` says of a recording in object storage. */
export const OBJECTS = "objects";

/**
 * Where recordings are: a new one where the configuration says, and each that is there already where it began. So a control
 * plane that is given object storage goes on reading its directory.
 */
export class RecordingPlaces {
  readonly #directory: BlockStorage;
  readonly #objects: BlockStorage | undefined;

  constructor(places: { directory: BlockStorage; objects: BlockStorage | undefined }) {
    this.#directory = places.directory;
    this.#objects = places.objects;
  }

  /** Where a recording goes that begins now, as `recordings.storage` has it. */
  get forNew(): string | null {
    return this.#objects === undefined ? null : OBJECTS;
  }

  /** The storage of a recording. Code `config-missing` when its kind is not set up any more. */
  of({ storage }: Pick<RecordingsTable, "storage">): BlockStorage {
    if (storage === null) return this.#directory;
    if (this.#objects !== undefined) return this.#objects;
    throw new SallyportError(
      "config-missing",
      "This recording is in object storage, which is not set up: start the control plane with SALLYPORT_OBJECTS.",
    );
  }
}
