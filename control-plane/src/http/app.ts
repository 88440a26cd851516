import { Hono } from "hono";
import { revocationSequence } from "../database/revocations.ts";
import { Api } from "./api.ts";
import { errorResponse, noSuchPath } from "./error-response.ts";
import { strictHeaders } from "./headers.ts";
import { homePage } from "./home-page.ts";
import { auditRoutes } from "./routes/audit.ts";
import { engagementRoutes } from "./routes/engagements.ts";
import { hostRoutes } from "./routes/hosts.ts";
import { meRoutes } from "./routes/me.ts";
import { revocationRoutes } from "./routes/revocations.ts";
import { sessionRoutes } from "./routes/sessions.ts";
import { signInRoutes } from "./routes/sign-in.ts";
import type { AppEnv, Services } from "./services.ts";

/** The routes of the API, by what they are about. */
const ROUTES = [
  signInRoutes,
  meRoutes,
  sessionRoutes,
  engagementRoutes,
  hostRoutes,
  revocationRoutes,
  auditRoutes,
];

/** The HTTP side of the control plane. */
export function createApp(services: Services): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  const { log } = services.environment;
  app.use(strictHeaders(services.config.url));
  app.onError((error, context) => errorResponse(error, context, log));
  app.notFound((context) => errorResponse(noSuchPath(), context, log));

  app.get("/", (context) => context.html(homePage(services.config.url)));
  app.get("/healthz", (context) => context.json({ status: "ok" }));
  app.get("/readyz", async (context) => {
    await revocationSequence(services.db);
    return context.json({ status: "ok" });
  });

  const api = new Api(app.basePath("/api/v1"), services);
  for (const addRoutes of ROUTES) addRoutes(api, services);
  return app;
}
