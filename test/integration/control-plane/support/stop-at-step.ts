import { writeSync } from "node:fs";
import http from "node:http";
import { enableCompileCache, flushCompileCache } from "node:module";
import { dirname, join } from "node:path";
import { StatementSync } from "node:sqlite";
import pg from "pg";
import { WebSocket } from "ws";

/*
 * Loaded into the control plane's process before its own modules. A request with STOP_AT in its headers has the process stop
 * itself (SIGSTOP) at a step of what follows: whoever waits outside then kills it there, or its database, or lets it go on. Steps are
 * what can be seen from outside or survives: statements, messages to and from hosts, answers. Each is "before" and "after" it.
 */

// It starts many times. What ends by kill -9 writes no cache; it is written before that instead.
enableCompileCache(join(dirname(process.argv.at(-1) ?? ""), "compiled"));

/** JSON: steps that are to be passed in this order, each named by how it begins; it stops at the last. Or a number: at that step. */
const STOP_AT = "x-stop-at";

let way: string[] = [];
let countdown = 0;

/** Something is about to happen, or just did. */
function at(step: string): void {
  if (countdown > 0 && --countdown === 0) stop(step);
  if (way[0] === undefined || !step.startsWith(way[0])) return;
  way.shift();
  if (way.length === 0) stop(step);
}

function stop(step: string): void {
  writeSync(1, `stopped at: ${step}\n`);
  process.kill(process.pid, "SIGSTOP");
}

function around<T>(what: string, work: () => T): T {
  at(`before ${what}`);
  const result = work();
  at(`after ${what}`);
  return result;
}

function statement(sql: string, values: readonly unknown[]): string {
  const [, verb, table] = /^(insert into|update|delete from) "(\w+)"/.exec(sql) ?? [];
  if (table === undefined) return sql.startsWith("start transaction") ? "begin" : (sql.split(" ")[0] ?? "");
  // The fourth column of the audit log is the type of the event.
  return `${verb} ${table}${table === "audit_events" ? ` ${values[3]}` : ""}`;
}

for (const name of ["all", "run"] as const) {
  const original = StatementSync.prototype[name] as (...values: unknown[]) => unknown;
  Object.defineProperty(StatementSync.prototype, name, {
    value(this: StatementSync, ...values: unknown[]) {
      return around(statement(this.sourceSQL, values), () => Reflect.apply(original, this, values));
    },
  });
}

const query = pg.Client.prototype.query as (...input: unknown[]) => unknown;
Object.defineProperty(pg.Client.prototype, "query", {
  value(this: pg.Client, ...input: unknown[]) {
    const [sql, values] = input;
    if (typeof sql !== "string") return Reflect.apply(query, this, input);
    const what = statement(sql, Array.isArray(values) ? values : []);
    at(`before ${what}`);
    const result = Reflect.apply(query, this, input);
    // It has left this process, and nothing of it has come back.
    at(`sent ${what}`);
    if (!(result instanceof Promise)) return result;
    return result.then((rows: unknown) => {
      at(`after ${what}`);
      return rows;
    });
  },
});

const typeOf = (data: unknown) => /^\{"type":"([a-z-]+)"/.exec(String(data))?.[1] ?? "bytes";
const send = WebSocket.prototype.send as (...input: unknown[]) => void;
Object.defineProperty(WebSocket.prototype, "send", {
  value(this: WebSocket, ...input: unknown[]) {
    around(`message ${typeOf(input[0])}`, () => Reflect.apply(send, this, input));
  },
});
const emit = WebSocket.prototype.emit as (...input: unknown[]) => boolean;
Object.defineProperty(WebSocket.prototype, "emit", {
  value(this: WebSocket, ...input: unknown[]) {
    const happens = () => Reflect.apply(emit, this, input);
    return input[0] === "message" ? around(typeOf(input[1]), happens) : happens();
  },
});

const serve = http.Server.prototype.emit as (...input: unknown[]) => boolean;
Object.defineProperty(http.Server.prototype, "emit", {
  value(this: http.Server, ...input: unknown[]) {
    const [event, request, response] = input as [string, http.IncomingMessage, http.ServerResponse];
    const header = event === "request" ? request.headers[STOP_AT] : undefined;
    if (typeof header !== "string") return Reflect.apply(serve, this, input);
    flushCompileCache();
    const wanted: unknown = JSON.parse(header);
    if (Array.isArray(wanted)) way = wanted;
    else countdown = Number(wanted);
    at("before request");
    const end = response.end as (...output: unknown[]) => unknown;
    response.end = ((...output: unknown[]) =>
      around("answer", () => Reflect.apply(end, response, output))) as typeof response.end;
    return Reflect.apply(serve, this, input);
  },
});
