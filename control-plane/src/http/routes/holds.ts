import { Hold, HoldRequest } from "@sallyport/core/messages/recordings.ts";
import { z } from "zod";
import { listHolds } from "../../database/recording-holds.ts";
import { placeHold, removeHold, toHold } from "../../recordings/holds.ts";
import type { Api } from "../api.ts";
import { actorName } from "../caller.ts";
import type { Services } from "../services.ts";

const ListQuery = z.object({
  /** `true`: those that were lifted as well. */
  lifted: z.stringbool().default(false),
  limit: z.coerce.number().int().min(1).max(1000).default(1000),
});

const ById = z.object({ id: z.string().max(64) });

/** Legal holds: what keeps recordings past their retention. */
export function holdRoutes(api: Api, services: Services): void {
  api.add(
    {
      method: "get",
      path: "/recordings/holds",
      access: "recordings:hold",
      summary: "Holds on recordings, newest first",
      query: ListQuery,
      answer: { status: 200, schema: z.array(Hold), description: "Those that hold, or all that ever were." },
    },
    async ({ query }) => (await listHolds(services.db, query)).map(toHold),
  );

  api.add(
    {
      method: "post",
      path: "/recordings/holds",
      access: "recordings:hold",
      summary: "Keep the recordings of a session, an engagement or a vendor until further notice",
      body: HoldRequest,
      answer: { status: 201, schema: Hold, description: "The hold." },
      errors: ["not-found", "conflict"],
    },
    ({ body, caller }) => placeHold(services, body, actorName(caller)),
  );

  api.add(
    {
      method: "delete",
      path: "/recordings/holds/{id}",
      access: "recordings:hold",
      summary: "Lift a hold",
      params: ById,
      answer: { status: 200, schema: Hold, description: "The hold, lifted." },
      errors: ["not-found"],
    },
    ({ params, caller }) => removeHold(services, params.id, actorName(caller)),
  );
}
