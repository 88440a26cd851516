import { SallyportError } from "@sallyport/core/errors.ts";
import { openCheckpoint } from "@sallyport/core/transparency/checkpoint.ts";
import { formatHeader } from "@sallyport/core/transparency/log-export.ts";
import { parseVerifierKey } from "@sallyport/core/transparency/signed-note.ts";
import type { ControlPlane } from "../api/control-plane.ts";

type Api = Pick<ControlPlane, "auditKey" | "auditCheckpoint" | "auditFrontier" | "auditEntries">;

/**
 * Fetches the audit log from entry `from` on, as the lines of an export. It ends with the entries that were there at the
 * start, so that those which reading makes do not count. Codes `usage`, and `log-inconsistent` when entries are missing.
 */
export async function* fetchLog(
  api: Api,
  from: number,
  onProgress: (entries: number, size: number) => void,
): AsyncGenerator<string, void, undefined> {
  const key = await api.auditKey();
  const checkpoint = await api.auditCheckpoint();
  const { size } = openCheckpoint(checkpoint, parseVerifierKey(key));
  if (from > size)
    throw new SallyportError("usage", `The audit log has ${size} entries; --from ${from} is more.`);
  yield formatHeader({ from, frontier: (await api.auditFrontier(from)).map(Buffer.from), checkpoint, key });
  for (let next = from; next < size; ) {
    const lines = await api.auditEntries(next, size);
    if (lines.length === 0)
      throw new SallyportError("log-inconsistent", `Entry ${next} is missing, and the log has ${size}.`);
    yield* lines;
    next += lines.length;
    onProgress(next, size);
  }
}
