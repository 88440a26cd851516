import type { Database } from "@sallyport/control-plane/database/tables.ts";
import type { KyselyPlugin, RootOperationNode } from "kysely";

/** A statement as Kysely has it before it becomes SQL, by what it does and to which table. */
type Fatal = { kind: "InsertQueryNode" | "UpdateQueryNode"; table: string; column?: string };

/**
 * The same database, for a process that dies when it comes to a statement: that one and all after it fail, and what was
 * not committed is rolled back, as when the connection is gone.
 */
export function dyingDatabase(db: Database, fatal: Fatal): Database {
  let dead = false;
  const plugin: KyselyPlugin = {
    transformQuery: ({ node }) => {
      dead ||= isFatal(node, fatal);
      if (dead) throw new Error("killed");
      return node;
    },
    transformResult: async ({ result }) => result,
  };
  return db.withPlugin(plugin);
}

function isFatal(node: RootOperationNode, { kind, table, column }: Fatal): boolean {
  if (node.kind !== kind) return false;
  const text = JSON.stringify(node.kind === "InsertQueryNode" ? node.into : node);
  return [table, column ?? table].every((name) => text.includes(`"name":"${name}"`));
}
