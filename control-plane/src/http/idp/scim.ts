import { getConnInfo } from "@hono/node-server/conninfo";
import { isSallyportError } from "@sallyport/core/errors.ts";
import type { Context, Hono } from "hono";
import { audit } from "../../audit/audit.ts";
import { errorFields } from "../../log.ts";
import { actorOf } from "../../scim/access.ts";
import { errorBody, ScimError } from "../../scim/scim-error.ts";
import { type ScimIssuer, scimIssuers } from "../../scim/scim-issuer.ts";
import { ScimTokens } from "../../scim/scim-tokens.ts";
import { ClientAddresses, limitKey } from "../client-address.ts";
import { RateLimit } from "../rate-limit.ts";
import type { AppEnv, Services } from "../services.ts";
import { type AddScimRoute, scimAnswer } from "./scim-call.ts";
import { discoveryRoutes } from "./scim-discovery.ts";
import { groupRoutes } from "./scim-groups.ts";
import { userRoutes } from "./scim-users.ts";

/** Where it all is. */
const SCIM_PATH = "/scim/v2";

/** An IdP brings all its people at once when it is set up: far more than people ever ask. */
const LIMIT = { perSecond: 500, burst: 5000 };

/** Refusals that are written down of each IdP: more would fill the audit log, and say nothing new. */
const WRITTEN = { perSecond: 2, burst: 500 };

const WRITES = ["POST", "PUT", "PATCH", "DELETE"];

/** The SCIM 2.0 server (RFC 7643, 7644) of every IdP that has a token. Code `config-invalid` when its file is not right. */
export function scimRoutes(app: Hono<AppEnv>, services: Services): void {
  const { environment, config } = services;
  const files = config.issuers.flatMap(({ issuer, scim }) =>
    scim === undefined ? [] : [{ issuer, file: scim.tokenFile }],
  );
  if (files.length === 0) return;
  const tokens = new ScimTokens(files, environment.clock, environment.log);
  const idps = new Map(scimIssuers(config.issuers).map((idp) => [idp.issuer, idp]));
  const limit = new RateLimit(environment.clock, LIMIT, "from your IdP");
  const written = new RateLimit(environment.clock, WRITTEN);
  const addresses = new ClientAddresses(config.trustedProxies);

  const add: AddScimRoute = (method, path, handle) => {
    const route = `${SCIM_PATH}${path}`;
    app.on(method, route, async (context) => {
      context.set("route", route);
      let idp: ScimIssuer | undefined;
      try {
        idp = idps.get(tokens.issuerOf(bearerToken(context)) ?? "");
        if (idp === undefined) throw unauthenticated(services, addresses, context);
        const { issuer } = idp;
        limit.take(issuer);
        const costs = (requests: number) => limit.take(issuer, requests);
        return await handle({ context, idp, base: `${config.url}${SCIM_PATH}`, costs });
      } catch (error) {
        const refusal = asScimError(services, context, error);
        if (idp !== undefined) await writeDown(services, written, { context, refusal, idp });
        return refuse(context, refusal);
      }
    });
  };
  discoveryRoutes(add);
  userRoutes(add, services);
  groupRoutes(add, services);
  for (const method of ["GET", ...WRITES]) {
    add(method, "/Me", () => {
      throw new ScimError(501, undefined, "A token is of an IdP here, not of a person: there is no /Me.");
    });
    add(method, "/Bulk", () => {
      throw new ScimError(501, undefined, "Bulk requests are not supported.");
    });
    add(method, "/*", () => {
      throw new ScimError(
        404,
        undefined,
        "There is nothing at this address, or it does not take this method.",
      );
    });
  }
}

function bearerToken(context: Context): string {
  return /^Bearer +([A-Za-z0-9._~+/=-]{1,1000})$/i.exec(context.req.header("authorization") ?? "")?.[1] ?? "";
}

/** Whoever has no token learns nothing but that. */
function unauthenticated(
  { failureLimit, environment }: Services,
  addresses: ClientAddresses,
  context: Context<AppEnv>,
): ScimError {
  const connection = getConnInfo(context).remote.address;
  const address = addresses.of(connection, context.req.header("x-forwarded-for"));
  failureLimit.take(limitKey(address));
  environment.log.warn("SCIM request without a good token", { address });
  return new ScimError(401, undefined, "The bearer token is missing, or it is not the one of an IdP here.");
}

function asScimError({ environment }: Services, context: Context, error: unknown): ScimError {
  if (error instanceof ScimError) return error;
  if (isSallyportError(error, "rate-limited")) return new ScimError(429, undefined, error.message);
  if (isSallyportError(error, "message-too-large")) return new ScimError(413, undefined, error.message);
  const { method, path } = context.req;
  environment.log.error("request failed", { method, path, ...errorFields(error) });
  return new ScimError(
    500,
    undefined,
    "The control plane ran into an error of its own. Try again in a minute.",
  );
}

/** A refused change is worth remembering; it stays refused whether or not it could be written down. */
async function writeDown(
  { db, environment }: Services,
  written: RateLimit,
  { context, refusal, idp }: { context: Context<AppEnv>; refusal: ScimError; idp: ScimIssuer },
): Promise<void> {
  const { method } = context.req;
  const { status, scimType, message } = refusal;
  if (!WRITES.includes(method) || status === 429 || status === 500) return;
  const request = `${method} ${context.get("route")}`;
  const data = { way: "SCIM", issuer: idp.issuer, request, status, scimType, reason: message };
  try {
    written.take(idp.issuer);
    await audit(db, environment, { type: "idp-notice-refused", actor: actorOf(idp), data });
  } catch (error) {
    environment.log.warn("a refused SCIM request is not in the audit log", {
      ...data,
      ...errorFields(error),
    });
  }
}

function refuse(context: Context, error: ScimError): Response {
  if (error.status === 401) context.header("www-authenticate", 'Bearer realm="SCIM"');
  if (error.status === 429) context.header("retry-after", "10");
  return scimAnswer(context, errorBody(error), { status: error.status });
}
