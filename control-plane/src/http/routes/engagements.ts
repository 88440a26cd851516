import { EndEngagementRequest } from "@sallyport/core/messages/client-api.ts";
import type { Engagement, Member } from "@sallyport/core/policy/engagement.ts";
import type { Hono } from "hono";
import { findEngagement, listEngagements } from "../../database/engagements.ts";
import { type Host, listHosts } from "../../database/hosts.ts";
import { listMembers } from "../../database/members.ts";
import { seconds } from "../../environment.ts";
import { endEngagement, engagementNotFound } from "../../policy/end-engagement.ts";
import { engagementState, selects } from "../../policy/host-selection.ts";
import { requires, seesAll } from "../access.ts";
import { actorName, type Caller } from "../caller.ts";
import { jsonBody } from "../json-body.ts";
import type { AppEnv, Services } from "../services.ts";

/** Engagements: a contractor sees their own, with only themselves as member. */
export function engagementRoutes(app: Hono<AppEnv>, services: Services): void {
  const { db, environment } = services;
  const anybody = requires("member-or-staff", services);

  app.get("/engagements", anybody, async (context) => {
    const caller = context.get("caller");
    const engagements = await listEngagements(db, seesAll(caller) ? undefined : (caller.member?.id ?? ""));
    return context.json(await describe(services, engagements, caller));
  });

  app.get("/engagements/:name", anybody, async (context) => {
    const caller = context.get("caller");
    const name = context.req.param("name");
    const engagement = await findEngagement(db, name);
    const isOwn = caller.member !== undefined && engagement?.members.includes(caller.member.id) === true;
    if (engagement === undefined || !(seesAll(caller) || isOwn)) throw engagementNotFound(name);
    return context.json((await describe(services, [engagement], caller))[0]);
  });

  app.post("/engagements/:name/end", requires("admin", services), async (context) => {
    const { reason } = await jsonBody(context, EndEngagementRequest);
    const by = actorName(context.get("caller"));
    const ended = await endEngagement(
      { db, environment },
      { nameOrId: context.req.param("name"), by, reason },
    );
    const have = await services.hosts.publishBundles();
    const hosts = (await listHosts(db)).map(({ id, name }) => ({ host: name, acknowledged: have.has(id) }));
    return context.json({ ...ended, state: "ended", hosts });
  });
}

async function describe(services: Services, engagements: readonly Engagement[], caller: Caller) {
  const { db, environment } = services;
  const now = seconds(environment.clock);
  const hosts = await listHosts(db);
  const members = new Map((await listMembers(db)).map((member) => [member.id, member]));
  return engagements.map((engagement) =>
    view(engagement, hosts, visibleMembers(engagement, members, caller), now),
  );
}

function visibleMembers(
  engagement: Engagement,
  members: ReadonlyMap<string, Member>,
  caller: Caller,
): Member[] {
  return engagement.members
    .flatMap((id) => members.get(id) ?? [])
    .filter((member) => seesAll(caller) || member.id === caller.member?.id);
}

function view(engagement: Engagement, hosts: readonly Host[], members: readonly Member[], now: number) {
  const { id, name, vendor, accounts, mode, mfa, hours, sources, start, end, ended, approval, contact } =
    engagement;
  const { personal, privilege, forwarding, limits, recording, acceptUnsafeShell } = engagement;
  return {
    id,
    name,
    vendor,
    state: engagementState(engagement, now),
    start,
    end,
    ended,
    members: members.map((member) => ({
      id: member.id,
      name: member.name,
      email: member.email,
      account: member.account,
    })),
    hosts: hosts.filter((host) => selects(engagement.hosts, host)).map((host) => host.name),
    selector: engagement.hosts,
    accounts,
    personal,
    privilege,
    forwarding,
    limits,
    recording,
    acceptUnsafeShell,
    mode,
    mfa,
    hours,
    sources,
    approval,
    contact,
  };
}
