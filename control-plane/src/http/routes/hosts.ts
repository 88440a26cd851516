import type { Hono } from "hono";
import { listEngagements } from "../../database/engagements.ts";
import { listHosts } from "../../database/hosts.ts";
import { seconds } from "../../environment.ts";
import { JoinTokenRequest, makeJoinToken } from "../../hosts/join-token.ts";
import { reachableHosts } from "../../people/describe-me.ts";
import { requires, seesAll } from "../access.ts";
import { actorName } from "../caller.ts";
import { jsonBody } from "../json-body.ts";
import type { AppEnv, Services } from "../services.ts";

/** Hosts: a contractor sees those that an engagement grants now or later. */
export function hostRoutes(app: Hono<AppEnv>, services: Services): void {
  const { db, environment } = services;

  app.get("/hosts", requires("member-or-staff", services), async (context) => {
    const caller = context.get("caller");
    const hosts = await listHosts(db);
    const all = hosts.map(
      ({ id, name, address, port, labels, enrolledAt, lastSeenAt, bundleVersion, facts }) => ({
        id,
        name,
        address,
        port,
        labels,
        connected: services.hosts.isConnected(id),
        enrolledAt,
        lastSeenAt,
        bundleVersion,
        facts,
      }),
    );
    if (seesAll(caller)) return context.json(all);
    const own = await listEngagements(db, caller.member?.id ?? "");
    const reachable = new Map(
      reachableHosts(caller.member, own, hosts, seconds(environment.clock)).map((host) => [host.name, host]),
    );
    const visible = all.flatMap(({ id, name, connected }) => {
      const host = reachable.get(name);
      return host === undefined ? [] : [{ id, ...host, connected }];
    });
    return context.json(visible);
  });

  app.post("/join-tokens", requires("admin", services), async (context) => {
    const request = await jsonBody(context, JoinTokenRequest);
    const joinToken = await makeJoinToken(services, request, actorName(context.get("caller")));
    return context.json({ joinToken }, 201);
  });
}
