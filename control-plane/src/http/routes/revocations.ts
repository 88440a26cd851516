import { SallyportError } from "@sallyport/core/errors.ts";
import { RevocationRequest, RevocationResponse } from "@sallyport/core/messages/client-api.ts";
import { LiftRequest, RevocationDetail, RevocationView } from "@sallyport/core/messages/revocations.ts";
import { RevocationLevel } from "@sallyport/core/policy/revocation.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import { z } from "zod";
import {
  listRevocationViews,
  revocationViewById,
  sequencesOfRequest,
} from "../../database/revocation-views.ts";
import { countHosts, hostEffects } from "../../revocations/host-effects.ts";
import { liftRevocation } from "../../revocations/lift.ts";
import { resolveTarget } from "../../revocations/resolve-target.ts";
import { revoke } from "../../revocations/revoke.ts";
import type { Api } from "../api.ts";
import { actorName } from "../caller.ts";
import type { Services } from "../services.ts";

const ListQuery = z.object({
  level: RevocationLevel.optional(),
  /** As people name it, or as the list has it; with `level`. */
  target: z.string().max(800).optional(),
  /** `true`: only what is in force; `false`: only what is not any more. */
  inForce: z.stringbool().optional(),
  before: z.string().max(64).optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
});
const ShowQuery = z.object({
  /** `missing`: only hosts that do not have it; all are counted. */
  hosts: z.enum(["all", "missing"]).default("all"),
});
const ById = z.object({ id: z.string().max(64) });

/** Revocations: made and lifted by admins, seen by auditors too. */
export function revocationRoutes(api: Api, services: Services): void {
  const { db } = services;
  api.add(
    {
      method: "get",
      path: "/revocations",
      access: "revocations:read",
      summary: "What was revoked, and whether it is in force, newest first",
      query: ListQuery,
      answer: { status: 200, schema: z.array(RevocationView), description: "The revocations." },
    },
    async ({ query }) => listRevocationViews(db, { ...query, target: await targetOf(services, query) }),
  );

  api.add(
    {
      method: "post",
      path: "/revocations",
      access: "revocations:write",
      summary: "Revoke access, and end the sessions that hang on it",
      body: RevocationRequest,
      answer: {
        status: 201,
        schema: RevocationResponse,
        description: "Which hosts have it, and what it ended.",
      },
      errors: ["not-found", "conflict"],
    },
    ({ body, caller }) => revoke(services, body, actorName(caller)),
  );

  api.add(
    {
      method: "post",
      path: "/revocations/lift",
      access: "revocations:write",
      summary: "Let a member, an identity, a vendor or the people of an IdP sign in again",
      body: LiftRequest,
      answer: { status: 201, schema: RevocationResponse, description: "Which hosts have it." },
      errors: ["not-found", "conflict"],
    },
    ({ body, caller }) => liftRevocation(services, body, actorName(caller)),
  );

  api.add(
    {
      method: "get",
      path: "/revocations/{id}",
      access: "revocations:read",
      summary: "One revocation, and how far each host is with it",
      params: ById,
      query: ShowQuery,
      answer: { status: 200, schema: RevocationDetail, description: "The revocation and the hosts." },
      errors: ["not-found"],
    },
    async ({ params, query }) => {
      const view = await revocationViewById(db, params.id);
      if (view === undefined)
        throw new SallyportError(
          "not-found",
          `There is no revocation ${printable(params.id, 64)}. To list them: sallyport revocations list`,
        );
      const all = await hostEffects(services, await sequencesOfRequest(db, view));
      const hosts = all
        .filter(({ acknowledged }) => query.hosts === "all" || !acknowledged)
        .map(({ id: _id, ...effect }) => effect);
      return { ...view, counts: countHosts(all), hosts };
    },
  );
}

/** For a list, what is not known is a list of nothing. */
async function targetOf(
  { db, config }: Services,
  { level, target }: z.infer<typeof ListQuery>,
): Promise<string | undefined> {
  if (level === undefined || target === undefined) return target;
  const found = await resolveTarget({ db, issuers: config.issuers }, { level, target }).catch(() => []);
  return found[0]?.target ?? target;
}
