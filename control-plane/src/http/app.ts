import { Hono } from "hono";
import { measureRequests } from "../metrics/measure-requests.ts";
import { webRoutes } from "../web/web-routes.ts";
import { Api } from "./api.ts";
import { errorResponse, noSuchPath } from "./error-response.ts";
import { strictHeaders } from "./headers.ts";
import { homePage } from "./home-page.ts";
import { idpRoutes } from "./idp/idp-routes.ts";
import { approvalRoutes } from "./routes/approvals.ts";
import { auditRoutes } from "./routes/audit.ts";
import { engagementChangeRoutes } from "./routes/engagement-changes.ts";
import { engagementRoutes } from "./routes/engagements.ts";
import { healthRoutes } from "./routes/health.ts";
import { holdRoutes } from "./routes/holds.ts";
import { hostRoutes } from "./routes/hosts.ts";
import { issuerRoutes } from "./routes/issuers.ts";
import { meRoutes } from "./routes/me.ts";
import { memberRoutes } from "./routes/members.ts";
import { openApiRoutes } from "./routes/openapi.ts";
import { policyRoutes } from "./routes/policy.ts";
import { revocationRoutes } from "./routes/revocations.ts";
import { sessionRoutes } from "./routes/sessions.ts";
import { signInRoutes } from "./routes/sign-in.ts";
import { tokenRoutes } from "./routes/tokens.ts";
import { webSessionRoutes } from "./routes/web-sessions.ts";
import type { AppEnv, Services } from "./services.ts";

/** The routes of the API, by what they are about. */
const ROUTES = [
  signInRoutes,
  meRoutes,
  sessionRoutes,
  holdRoutes,
  engagementRoutes,
  engagementChangeRoutes,
  policyRoutes,
  memberRoutes,
  approvalRoutes,
  hostRoutes,
  revocationRoutes,
  issuerRoutes,
  auditRoutes,
  tokenRoutes,
  webSessionRoutes,
];

/** The HTTP side of the control plane. */
export function createApp(services: Services): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  const { log } = services.environment;
  app.use(measureRequests(services.metrics));
  app.use(strictHeaders(services.config.url));
  app.onError((error, context) => errorResponse(error, context, log));
  app.notFound((context) => errorResponse(noSuchPath(), context, log));

  app.get("/", (context) => context.html(homePage(services.config.url)));

  const api = new Api(app, "/api/v1", services);
  for (const addRoutes of ROUTES) addRoutes(api, services);
  const watchers = new Api(app, "", services);
  healthRoutes(watchers, services);
  webRoutes(new Api(app, "/web", services), services);
  idpRoutes(app, services);
  openApiRoutes(api, [api, watchers], services.config.url);
  return app;
}
