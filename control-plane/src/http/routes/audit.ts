import { SallyportError } from "@sallyport/core/errors.ts";
import type {
  ConsistencyResponse,
  FrontierResponse,
  InclusionResponse,
} from "@sallyport/core/messages/audit-log.ts";
import { formatLeaf } from "@sallyport/core/transparency/log-export.ts";
import type { Hono } from "hono";
import { z } from "zod";
import { audit } from "../../audit/audit.ts";
import { auditLeaf } from "../../audit/leaf.ts";
import { consistencyProof, frontierAt, inclusionProof } from "../../audit/tree-head.ts";
import { auditEventsFrom } from "../../database/audit-events.ts";
import { leafIndexByHash, treeSize } from "../../database/audit-tree.ts";
import { requires } from "../access.ts";
import { actorName } from "../caller.ts";
import { query } from "../json-body.ts";
import type { AppEnv, Services } from "../services.ts";

/** Most entries, and about the most bytes of them, in one answer; the next request goes on. */
const MAX_ENTRIES = 1000;
const MAX_BYTES = 4 * 1024 * 1024;

const Size = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const EntriesQuery = z.object({ from: Size, to: Size });
const FrontierQuery = z.object({ size: Size });
const ConsistencyQuery = z.object({ from: Size, to: Size });
const InclusionQuery = z
  .object({ index: Size.optional(), hash: z.base64().length(44).optional(), size: Size.optional() })
  .refine(({ index, hash }) => (index === undefined) !== (hash === undefined), "one of index and hash");

/**
 * The audit log, for the security team. Reading entries is an audit event itself, once for each answer; what is hashes
 * only is not, or whoever watches the log would make it grow by watching.
 */
export function auditRoutes(app: Hono<AppEnv>, services: Services): void {
  const { db, environment, auditLog } = services;
  const auditor = requires("auditor", services);

  app.get("/audit/key", auditor, (context) => context.text(`${auditLog.verifierKey}\n`));

  app.get("/audit/checkpoint", auditor, async (context) => {
    const { note } = await auditLog.checkpoint();
    return context.text(note);
  });

  app.get("/audit/entries", auditor, async (context) => {
    const { from, to } = query(context, EntriesQuery);
    await requireTree(services, to);
    if (from >= to) throw new SallyportError("message-malformed", "`from` must be less than `to`.");
    const lines: string[] = [];
    let size = 0;
    for (const event of await auditEventsFrom(db, from, Math.min(to - from, MAX_ENTRIES))) {
      // Missing hashes and gaps are for the verifier to see, who names them.
      const line = `${formatLeaf(event.leaf_index, event.hash ?? "", auditLeaf(event))}\n`;
      size += line.length;
      if (lines.length > 0 && size > MAX_BYTES) break;
      lines.push(line);
    }
    await audit(db, environment, {
      type: "audit-log-read",
      actor: actorName(context.get("caller")),
      data: { from, entries: lines.length },
    });
    return context.body(lines.join(""), 200, { "content-type": "application/x-ndjson" });
  });

  app.get("/audit/frontier", auditor, async (context) => {
    const { size } = query(context, FrontierQuery);
    await requireTree(services, size);
    const hashes = base64(await frontierAt(db, size));
    return context.json({ size, hashes } satisfies z.input<typeof FrontierResponse>);
  });

  app.get("/audit/consistency", auditor, async (context) => {
    const { from, to } = query(context, ConsistencyQuery);
    await requireTree(services, to);
    if (from > to) throw new SallyportError("message-malformed", "`from` must not be more than `to`.");
    const proof = base64(await consistencyProof(db, from, to));
    return context.json({ from, to, proof } satisfies z.input<typeof ConsistencyResponse>);
  });

  app.get("/audit/inclusion", auditor, async (context) => {
    const wanted = query(context, InclusionQuery);
    const size = wanted.size ?? (await auditLog.checkpoint()).size;
    await requireTree(services, size);
    const index = wanted.index ?? (await leafIndexByHash(db, wanted.hash ?? ""));
    if (index === undefined || index >= size) throw noSuchEntry(size);
    const proof = base64(await inclusionProof(db, index, size));
    return context.json({ index, size, proof } satisfies z.input<typeof InclusionResponse>);
  });
}

/** Only trees that there are have entries and proofs. */
async function requireTree({ db }: Services, size: number): Promise<void> {
  const entries = await treeSize(db);
  if (size > entries) throw noSuchEntry(entries);
}

function noSuchEntry(size: number): SallyportError {
  return new SallyportError("not-found", `There is no such entry; the audit log has ${size}.`);
}

function base64(hashes: readonly Uint8Array[]): string[] {
  return hashes.map((hash) => Buffer.from(hash).toString("base64"));
}
