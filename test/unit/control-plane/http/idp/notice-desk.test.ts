import assert from "node:assert/strict";
import { listAuditEvents } from "@sallyport/control-plane/database/audit-events.ts";
import { NoticeDesk } from "@sallyport/control-plane/http/idp/notice-desk.ts";
import { securityEventRoutes } from "@sallyport/control-plane/http/idp/security-events.ts";
import { RateLimit } from "@sallyport/control-plane/http/rate-limit.ts";
import type { AppEnv, Services } from "@sallyport/control-plane/http/services.ts";
import { NoticeRefused } from "@sallyport/control-plane/logout/notice-refused.ts";
import { Hono } from "hono";
import { makeSetWorld } from "../../support/set-world.ts";
import { makeWorld } from "../../support/world.ts";

const from = (address: string) => ({ incoming: { socket: { remoteAddress: address } } });

describe("what IdPs send and is refused", () => {
  it("stands in the audit log where an IdP has signed it, whatever anybody else sends", async () => {
    const world = await makeWorld();
    const failureLimit = new RateLimit(world.environment.clock, { perSecond: 1, burst: 1000 });
    const services = { ...world, failureLimit, config: { trustedProxies: [] } } as unknown as Services;
    const desk = new NoticeDesk(services, "back-channel logout");
    const app = new Hono<AppEnv>();
    let signedBy: { issuer: string; jti: string } | undefined;
    app.post("/", (context) => {
      const refuse = async () => {
        throw new NoticeRefused(400, "invalid_request", "No.", signedBy === undefined ? {} : { signedBy });
      };
      return desk.serve(context, refuse, () => context.body(null, 400));
    });
    const post = () => app.request("/", { method: "POST" }, from("192.0.2.1"));
    await Promise.all(Array.from({ length: 600 }, post));
    signedBy = { issuer: "https://idp.test", jti: "1" };
    await post();
    const [newest] = await listAuditEvents(world.db, 1);
    assert.equal(newest?.actor, "https://idp.test");
    await world.db.destroy();
  });

  it("fills no log where nobody has signed it", async () => {
    const world = await makeSetWorld();
    const logged: unknown[] = [];
    const warn = (_message: string, fields?: object) => void logged.push(fields);
    const environment = { ...world.environment, log: { ...world.environment.log, warn } };
    const services = {
      failureLimit: new RateLimit(environment.clock, { perSecond: 1, burst: 10 }),
      securityEvents: { ...world.needs, environment },
      config: { trustedProxies: [] },
      environment,
    } as unknown as Services;
    const app = new Hono<AppEnv>();
    app.onError((_error, context) => context.body(null, 429));
    securityEventRoutes(app, services);
    const headers = { "content-type": "application/secevent+jwt" };
    const body = world.set().replace(/.{8}$/, "AAAAAAAA");
    for (let sent = 0; sent < 40; sent++)
      await app.request("/security-events", { method: "POST", headers, body }, from("192.0.2.1"));
    assert.equal(logged.length, 10);
    assert.ok(JSON.stringify(logged[0]).includes("192.0.2.1"));
    await world.db.destroy();
  });
});
