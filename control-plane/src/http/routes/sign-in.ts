import { getConnInfo } from "@hono/node-server/conninfo";
import { CertificateRequest, type ClientConfiguration } from "@sallyport/core/messages/client-api.ts";
import { EnrolRequest } from "@sallyport/core/messages/enrolment.ts";
import type { Context, Hono } from "hono";
import { seconds } from "../../environment.ts";
import { enrolHost } from "../../hosts/enrol-host.ts";
import { makeChallenge } from "../../issuance/challenge.ts";
import { issueCertificate } from "../../issuance/issue-certificate.ts";
import { caLine } from "../../keys/keys.ts";
import { trustDocument } from "../../keys/trust.ts";
import { jsonBody } from "../json-body.ts";
import type { AppEnv, Services } from "../services.ts";

/** Routes that need no sign-in: what a client or a host does first. */
export function signInRoutes(app: Hono<AppEnv>, services: Services): void {
  const { config, keys, environment } = services;
  const limited = (context: Context<AppEnv>): string => {
    const address = getConnInfo(context).remote.address ?? "unknown";
    services.rateLimit.take(address);
    return address;
  };

  app.get("/client-configuration", (context) => {
    const answer: ClientConfiguration = {
      v: 1,
      issuers: config.issuers.map(({ issuer, clientId, scope, acrValues, name }) => ({
        issuer,
        clientId,
        scope,
        acrValues,
        name,
      })),
      hostCaKeys: [caLine(keys.hostCa, "sallyport-host-ca")],
      now: seconds(environment.clock),
    };
    return context.json(answer);
  });

  app.get("/trust", (context) => context.json(trustDocument(config, keys)));

  app.post("/challenges", async (context) => {
    limited(context);
    return context.json({ challenge: await makeChallenge(services) }, 201);
  });

  app.post("/certificates", async (context) => {
    const address = limited(context);
    const request = await jsonBody(context, CertificateRequest);
    return context.json(await issueCertificate(services, request, address), 201);
  });

  app.post("/hosts", async (context) => {
    limited(context);
    const request = await jsonBody(context, EnrolRequest);
    const needs = { ...services, disconnect: (hostId: string) => services.hosts.disconnect(hostId) };
    return context.json(await enrolHost(needs, request), 201);
  });
}
