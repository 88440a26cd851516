import type { Migration } from "kysely/migration";
import * as initial from "./0001-initial.ts";

/** Every migration by name, in order. Released ones are never changed: add a file. */
export const MIGRATIONS: Record<string, Migration> = { "0001-initial": initial };
