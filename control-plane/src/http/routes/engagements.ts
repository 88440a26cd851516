import { EndEngagementRequest } from "@sallyport/core/messages/client-api.ts";
import { EndEngagementResponse, EngagementView } from "@sallyport/core/messages/engagements.ts";
import type { Engagement, Member } from "@sallyport/core/policy/engagement.ts";
import { z } from "zod";
import { currentVersions } from "../../database/engagement-versions.ts";
import { findEngagement } from "../../database/engagements.ts";
import { type Host, listHosts } from "../../database/hosts.ts";
import { listMembers } from "../../database/members.ts";
import { seconds } from "../../environment.ts";
import { endEngagement, engagementNotFound } from "../../policy/end-engagement.ts";
import { engagementState, selects } from "../../policy/host-selection.ts";
import type { Api } from "../api.ts";
import { actorName } from "../caller.ts";
import { publish } from "../publish.ts";
import type { Services } from "../services.ts";
import { type Sight, seesEngagement, sightOf } from "../sight.ts";
import { visibleEngagements } from "../visible-engagements.ts";

const ByName = z.object({ name: z.string().max(255) });

/** Engagements: a contractor sees their own, with only themselves as member; a sponsor those they sponsor. */
export function engagementRoutes(api: Api, services: Services): void {
  const { db, environment } = services;

  api.add(
    {
      method: "get",
      path: "/engagements",
      access: "engagements:read",
      summary: "Engagements, the latest start first",
      answer: { status: 200, schema: z.array(EngagementView), description: "Those that the caller may see." },
    },
    async ({ caller }) => {
      const sight = sightOf(caller, "engagements:read");
      return describe(services, await visibleEngagements(db, sight), sight);
    },
  );

  api.add(
    {
      method: "get",
      path: "/engagements/{name}",
      access: "engagements:read",
      summary: "One engagement, by name or id",
      params: ByName,
      answer: { status: 200, schema: EngagementView, description: "The engagement." },
      errors: ["not-found"],
    },
    async ({ params, caller }) => {
      const sight = sightOf(caller, "engagements:read");
      const engagement = await visibleEngagement(services, sight, params.name);
      return (await describe(services, [engagement], sight))[0];
    },
  );

  api.add(
    {
      method: "post",
      path: "/engagements/{name}/end",
      access: "engagements:end",
      summary: "End an engagement before its time, with the sessions that hang on it",
      params: ByName,
      body: EndEngagementRequest,
      answer: { status: 200, schema: EndEngagementResponse, description: "Which hosts know of it." },
      errors: ["not-found", "conflict"],
    },
    async ({ params, body, caller }) => {
      const engagement = await visibleEngagement(services, sightOf(caller, "engagements:end"), params.name);
      const { id, hosts } = engagement;
      const by = actorName(caller);
      const ended = await endEngagement({ db, environment }, { nameOrId: id, by, reason: body.reason });
      return { ...ended, state: "ended", hosts: await publish(services, hosts) };
    },
  );
}

async function visibleEngagement({ db }: Services, sight: Sight, name: string): Promise<Engagement> {
  const engagement = await findEngagement(db, name);
  if (engagement === undefined || !seesEngagement(sight, engagement)) throw engagementNotFound(name);
  return engagement;
}

async function describe(
  services: Services,
  engagements: readonly Engagement[],
  sight: Sight,
): Promise<EngagementView[]> {
  const { db, environment } = services;
  const now = seconds(environment.clock);
  const hosts = await listHosts(db);
  const named = new Set(engagements.flatMap(({ members }) => members));
  const members = new Map((await listMembers(db, [...named])).map((member) => [member.id, member]));
  const versions = await currentVersions(db);
  return engagements.map((engagement) =>
    view(
      engagement,
      versions.get(engagement.id) ?? 0,
      hosts,
      visibleMembers(engagement, members, sight),
      now,
    ),
  );
}

/** Contractors are not told of one another; whoever answers for an engagement knows who is in it. */
function visibleMembers(
  engagement: Engagement,
  members: ReadonlyMap<string, Member>,
  sight: Sight,
): Member[] {
  const seesOthers = seesEngagement({ ...sight, memberId: undefined }, engagement);
  return engagement.members
    .flatMap((id) => members.get(id) ?? [])
    .filter((member) => seesOthers || member.id === sight.memberId);
}

function view(
  engagement: Engagement,
  version: number,
  hosts: readonly Host[],
  members: readonly Member[],
  now: number,
): EngagementView {
  const { hosts: selector, members: _ids, ...rest } = engagement;
  const shown = new Set(members.map(({ id }) => id));
  const granted = rest.approval.granted.filter(({ member }) => shown.has(member));
  return {
    ...rest,
    approval: { ...rest.approval, granted },
    version,
    state: engagementState(engagement, now),
    members: members.map(({ id, name, email, account }) => ({ id, name, email, account })),
    hosts: hosts.filter((host) => selects(selector, host)).map((host) => host.name),
    selector,
  };
}
