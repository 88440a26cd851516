import { SallyportError } from "@sallyport/core/errors.ts";
import {
  ConsistencyResponse,
  FrontierResponse,
  InclusionResponse,
} from "@sallyport/core/messages/audit-log.ts";
import { formatLeaf } from "@sallyport/core/transparency/log-export.ts";
import { z } from "zod";
import { audit } from "../../audit/audit.ts";
import { auditLeaf } from "../../audit/leaf.ts";
import { consistencyProof, frontierAt, inclusionProof } from "../../audit/tree-head.ts";
import { auditEventsFrom } from "../../database/audit-events.ts";
import { leafIndexByHash, treeSize } from "../../database/audit-tree.ts";
import type { Api } from "../api.ts";
import { actorName } from "../caller.ts";
import type { Services } from "../services.ts";

/** Most entries, and about the most bytes of them, in one answer; the next request goes on. */
const MAX_ENTRIES = 1000;
const MAX_BYTES = 4 * 1024 * 1024;

const Size = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const Range = z.object({ from: Size, to: Size });
const FrontierQuery = z.object({ size: Size });
const InclusionQuery = z
  .object({ index: Size.optional(), hash: z.base64().length(44).optional(), size: Size.optional() })
  .refine(({ index, hash }) => (index === undefined) !== (hash === undefined), "one of index and hash");

/**
 * The audit log, for the security team. Reading entries is an audit event itself, once for each answer; what is hashes
 * only is not, or whoever watches the log would make it grow by watching.
 */
export function auditRoutes(api: Api, services: Services): void {
  const { db, environment, auditLog } = services;

  api.add(
    {
      method: "get",
      path: "/audit/key",
      access: "audit:read",
      summary: "The key to verify the audit log with",
      answer: { status: 200, type: "text/plain", description: "A verifier key, as C2SP signed-note has it." },
    },
    ({ context }) => context.text(`${auditLog.verifierKey}\n`),
  );

  api.add(
    {
      method: "get",
      path: "/audit/checkpoint",
      access: "audit:read",
      summary: "A signed checkpoint over the whole audit log",
      answer: {
        status: 200,
        type: "text/plain",
        description: "A checkpoint, as C2SP tlog-checkpoint has it.",
      },
    },
    async ({ context }) => context.text((await auditLog.checkpoint()).note),
  );

  api.add(
    {
      method: "get",
      path: "/audit/entries",
      access: "audit:read",
      summary: "Entries of the audit log, as many as come at once",
      query: Range,
      answer: { status: 200, type: "application/x-ndjson", description: "One entry a line, in order." },
      errors: ["not-found"],
    },
    async ({ context, query, caller }) => {
      const { from, to } = query;
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
      const data = { from, entries: lines.length };
      await audit(db, environment, { type: "audit-log-read", actor: actorName(caller), data });
      return context.body(lines.join(""), 200, { "content-type": "application/x-ndjson" });
    },
  );

  api.add(
    {
      method: "get",
      path: "/audit/frontier",
      access: "audit:read",
      summary: "The complete subtrees of the log as it was with so many entries",
      query: FrontierQuery,
      answer: { status: 200, schema: FrontierResponse, description: "Their hashes, left to right." },
      errors: ["not-found"],
    },
    async ({ query: { size } }): Promise<z.input<typeof FrontierResponse>> => {
      await requireTree(services, size);
      return { size, hashes: base64(await frontierAt(db, size)) };
    },
  );

  api.add(
    {
      method: "get",
      path: "/audit/consistency",
      access: "audit:read",
      summary: "Proof that one tree of the log begins with another (RFC 6962, 2.1.2)",
      query: Range,
      answer: { status: 200, schema: ConsistencyResponse, description: "The proof." },
      errors: ["not-found"],
    },
    async ({ query: { from, to } }): Promise<z.input<typeof ConsistencyResponse>> => {
      await requireTree(services, to);
      if (from > to) throw new SallyportError("message-malformed", "`from` must not be more than `to`.");
      return { from, to, proof: base64(await consistencyProof(db, from, to)) };
    },
  );

  api.add(
    {
      method: "get",
      path: "/audit/inclusion",
      access: "audit:read",
      summary: "Proof that an entry is in the log (RFC 6962, 2.1.1)",
      query: InclusionQuery,
      answer: { status: 200, schema: InclusionResponse, description: "The proof." },
      errors: ["not-found"],
    },
    async ({ query: wanted }): Promise<z.input<typeof InclusionResponse>> => {
      const size = wanted.size ?? (await auditLog.checkpoint()).size;
      await requireTree(services, size);
      const index = wanted.index ?? (await leafIndexByHash(db, wanted.hash ?? ""));
      if (index === undefined || index >= size) throw noSuchEntry(size);
      return { index, size, proof: base64(await inclusionProof(db, index, size)) };
    },
  );
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
