import {
  CreateEngagementRequest,
  EditEngagementRequest,
  EngagementChangeResponse,
  EngagementVersion,
  ExtendEngagementRequest,
} from "@sallyport/core/messages/engagements.ts";
import { changedFields } from "@sallyport/core/policy/changed-fields.ts";
import { z } from "zod";
import { fieldsOfVersion, listVersions } from "../../database/engagement-versions.ts";
import { findEngagement } from "../../database/engagements.ts";
import { seconds } from "../../environment.ts";
import {
  type ChangedEngagement,
  createEngagement,
  editEngagement,
  extendEngagement,
} from "../../policy/change-engagement.ts";
import { engagementNotFound } from "../../policy/end-engagement.ts";
import { engagementState } from "../../policy/host-selection.ts";
import type { Api } from "../api.ts";
import { actorName } from "../caller.ts";
import { publish } from "../publish.ts";
import type { Services } from "../services.ts";
import { seesEngagement, sightOf } from "../sight.ts";

const ByName = z.object({ name: z.string().max(255) });
const MAX_VERSIONS = 1000;
const Newest = z.object({
  limit: z.coerce.number().int().min(1).max(MAX_VERSIONS).default(100).describe("How many, at most."),
});

/** Changes of engagements, and their history. */
export function engagementChangeRoutes(api: Api, services: Services): void {
  const { db, environment } = services;
  const answer = (status: 200 | 201) => ({
    status,
    schema: EngagementChangeResponse,
    description: "What changed, and which hosts know of it.",
  });

  api.add(
    {
      method: "post",
      path: "/engagements",
      access: "engagements:write",
      summary: "Create an engagement",
      body: CreateEngagementRequest,
      answer: answer(201),
      errors: ["conflict"],
    },
    async ({ body, caller }) => {
      const author = { by: actorName(caller), why: body.reason };
      return told(services, await createEngagement({ db, environment }, body.engagement, author));
    },
  );

  api.add(
    {
      method: "patch",
      path: "/engagements/{name}",
      access: "engagements:write",
      summary: "Change fields of an engagement, on condition that its version is the one that is given",
      params: ByName,
      body: EditEngagementRequest,
      answer: answer(200),
      errors: ["not-found", "conflict"],
    },
    async ({ params, body, caller }) => {
      const { version, change, reason } = body;
      const author = { by: actorName(caller), why: reason };
      const request = { nameOrId: params.name, version, change };
      return told(services, await editEngagement({ db, environment }, request, author));
    },
  );

  api.add(
    {
      method: "post",
      path: "/engagements/{name}/extend",
      access: "engagements:write",
      summary: "Let an engagement end later",
      params: ByName,
      body: ExtendEngagementRequest,
      answer: answer(200),
      errors: ["not-found", "conflict"],
    },
    async ({ params, body, caller }) => {
      const author = { by: actorName(caller), why: body.reason };
      const request = { nameOrId: params.name, until: body.until };
      return told(services, await extendEngagement({ db, environment }, request, author));
    },
  );

  api.add(
    {
      method: "get",
      path: "/engagements/{name}/versions",
      access: "engagements:read",
      summary: "Every version of an engagement: when, by whom, why, and what changed; not for contractors",
      params: ByName,
      query: Newest,
      answer: { status: 200, schema: z.array(EngagementVersion), description: "The newest first." },
      errors: ["not-found"],
    },
    async ({ params, query, caller }) => {
      const engagement = await findEngagement(db, params.name);
      // It names all members, so that being one is not enough.
      const sight = { ...sightOf(caller, "engagements:read"), memberId: undefined };
      if (engagement === undefined || !seesEngagement(sight, engagement))
        throw engagementNotFound(params.name);
      return history(services, engagement.id, query.limit);
    },
  );
}

async function told(services: Services, changed: ChangedEngagement): Promise<EngagementChangeResponse> {
  const { engagement, version, changes, needsApproval } = changed;
  const isNew = version === 1 && changes.length === 0;
  const hosts = isNew || changes.length > 0 ? await publish(services) : [];
  const state = engagementState(engagement, seconds(services.environment.clock));
  return { id: engagement.id, name: engagement.name, version, state, changes, needsApproval, hosts };
}

async function history({ db }: Services, id: string, limit: number): Promise<EngagementVersion[]> {
  // One more than is shown, to compare the oldest with.
  const rows = await listVersions(db, id, limit + 1);
  const versions = rows.map(({ version, at, by, why, ...row }) => ({
    ...{ version, at, by, why },
    engagement: fieldsOfVersion(row) as Record<string, unknown>,
  }));
  return versions.slice(0, limit).map((one, index) => {
    const before = versions[index + 1];
    return { ...one, changes: before === undefined ? [] : changedFields(before.engagement, one.engagement) };
  });
}
