import type { Hono } from "hono";
import type { AppEnv, Services } from "../services.ts";
import { backChannelLogoutRoute } from "./back-channel-logout.ts";
import { directoryNoticeRoutes } from "./directory-notices.ts";
import { globalTokenRevocationRoute } from "./global-token-revocation.ts";
import { scimRoutes } from "./scim.ts";
import { securityEventRoutes } from "./security-events.ts";

/**
 * Where IdPs tell of their people: standards' paths, bodies and errors, so not under `/api/v1` and not in the OpenAPI document.
 * Each way in has its own file beside this one.
 */
export function idpRoutes(app: Hono<AppEnv>, services: Services): void {
  backChannelLogoutRoute(app, services);
  globalTokenRevocationRoute(app, services);
  directoryNoticeRoutes(app, services);
  securityEventRoutes(app, services);
  scimRoutes(app, services);
}
