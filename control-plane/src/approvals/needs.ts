import type { Configuration } from "../config/configuration.ts";
import type { Database } from "../database/tables.ts";
import type { Environment } from "../environment.ts";
import type { StaffRules } from "../people/staff-roles.ts";

/** What dealing with requests takes. */
export interface RequestNeeds {
  db: Database;
  environment: Pick<Environment, "clock" | "random">;
  config: Pick<Configuration, "approvals">;
}

/** What dealing with answers takes besides. */
export interface AnswerNeeds extends RequestNeeds {
  config: Pick<Configuration, "approvals"> & StaffRules;
}
