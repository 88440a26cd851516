import { HostView } from "@sallyport/core/messages/engagements.ts";
import { z } from "zod";
import { listEngagements } from "../../database/engagements.ts";
import { type Host, listHosts } from "../../database/hosts.ts";
import { seconds } from "../../environment.ts";
import { JoinTokenRequest, makeJoinToken } from "../../hosts/join-token.ts";
import { reachableHosts } from "../../people/describe-me.ts";
import { selects } from "../../policy/host-selection.ts";
import type { Api } from "../api.ts";
import { actorName, type Caller } from "../caller.ts";
import type { Services } from "../services.ts";
import { seesEngagement, sightOf } from "../sight.ts";

/** Hosts: a contractor sees those that an engagement grants now or later, a sponsor those of their engagements. */
export function hostRoutes(api: Api, services: Services): void {
  api.add(
    {
      method: "get",
      path: "/hosts",
      access: "hosts:read",
      summary: "Hosts, newest first",
      answer: { status: 200, schema: z.array(HostView), description: "Those that the caller may see." },
    },
    async ({ caller }) => {
      const { all, sponsor } = sightOf(caller, "hosts:read");
      const hosts = await listHosts(services.db);
      const connected = await services.hosts.connected();
      if (all) return hosts.map((host) => view(host, connected));
      if (sponsor === undefined) return ownHosts(services, caller, hosts, connected);
      const sight = { all, sponsor, memberId: undefined };
      const sponsored = (await listEngagements(services.db)).filter((one) => seesEngagement(sight, one));
      return hosts
        .filter((host) => sponsored.some((engagement) => selects(engagement.hosts, host)))
        .map((host) => view(host, connected));
    },
  );

  api.add(
    {
      method: "post",
      path: "/join-tokens",
      access: "hosts:write",
      summary: "A token with which one host of a name may enrol, once, within 24 hours",
      body: JoinTokenRequest,
      answer: {
        status: 201,
        schema: z.object({ joinToken: z.string() }),
        description: "The token, shown only here.",
      },
    },
    async ({ body, caller }) => ({ joinToken: await makeJoinToken(services, body, actorName(caller)) }),
  );
}

function view(host: Host, connected: ReadonlySet<string>): z.infer<typeof HostView> {
  const { id, name, address, port, labels, enrolledAt, lastSeenAt, bundleVersion, facts } = host;
  return {
    id,
    name,
    address,
    port,
    labels,
    connected: connected.has(id),
    enrolledAt,
    lastSeenAt,
    bundleVersion,
    facts,
  };
}

async function ownHosts(
  services: Services,
  { member }: Caller,
  hosts: readonly Host[],
  connected: ReadonlySet<string>,
): Promise<z.infer<typeof HostView>[]> {
  const engagements = await listEngagements(services.db, member?.id ?? "");
  const now = seconds(services.environment.clock);
  const reachable = new Map(reachableHosts(member, engagements, hosts, now).map((host) => [host.name, host]));
  return hosts.flatMap(({ id, name }) => {
    const host = reachable.get(name);
    return host === undefined ? [] : [{ id, ...host, connected: connected.has(id) }];
  });
}
