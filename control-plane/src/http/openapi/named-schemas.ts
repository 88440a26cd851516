import * as apiTokens from "@sallyport/core/messages/api-tokens.ts";
import * as auditLog from "@sallyport/core/messages/audit-log.ts";
import * as clientApi from "@sallyport/core/messages/client-api.ts";
import * as engagements from "@sallyport/core/messages/engagements.ts";
import * as enrolment from "@sallyport/core/messages/enrolment.ts";
import * as trust from "@sallyport/core/messages/trust.ts";
import { z } from "zod";

const MODULES = [apiTokens, auditLog, clientApi, engagements, enrolment, trust];

/** The schemas of messages by the names that they are exported with: in the OpenAPI document they are components. */
export const namedSchemas = z.registry<{ id: string }>();
for (const module of MODULES)
  for (const [id, value] of Object.entries(module))
    if (value instanceof z.ZodType && !namedSchemas.has(value)) namedSchemas.add(value, { id });
