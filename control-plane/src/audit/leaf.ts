import { canonicalJson } from "@sallyport/core/canonical-json.ts";

/** What is hashed of an audit event. `data_json` is canonical JSON. */
export interface AuditedEvent {
  id: string;
  at_ms: number;
  type: string;
  actor: string;
  data_json: string;
}

/**
 * The leaf of an event in the Merkle log: canonical JSON (RFC 8785) of `{actor, at, data, id, type, v}`. Stored data goes
 * in as it is, so that a byte of it that was changed shows. Leaves are for ever: another form needs another `v`.
 */
export function auditLeaf({ id, at_ms, type, actor, data_json }: AuditedEvent): string {
  const [actorJson, atJson, idJson, typeJson] = [actor, at_ms, id, type].map(canonicalJson);
  return `{"actor":${actorJson},"at":${atJson},"data":${data_json},"id":${idJson},"type":${typeJson},"v":1}`;
}
