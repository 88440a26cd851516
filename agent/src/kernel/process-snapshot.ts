import { auditSessionOf, descendantsOf, type ProcessStat, processTable } from "./processes.ts";

/**
 * The processes of the host at one moment, read from /proc when they are first asked for. One look over many logins takes
 * one: reading everything anew for each would stop logins on a host with many of them.
 */
export class ProcessSnapshot {
  #table: Map<number, ProcessStat> | undefined;
  #byAuditSession: Map<number | null, ProcessStat[]> | undefined;

  get table(): Map<number, ProcessStat> {
    this.#table ??= processTable();
    return this.#table;
  }

  /** The processes below `root`, itself not included. */
  below(root: number): ProcessStat[] {
    return descendantsOf(root, this.table);
  }

  inAuditSession(session: number): ProcessStat[] {
    this.#byAuditSession ??= Map.groupBy(this.table.values(), ({ pid }) => auditSessionOf(pid));
    return this.#byAuditSession.get(session) ?? [];
  }
}
