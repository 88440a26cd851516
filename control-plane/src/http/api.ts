import { getConnInfo } from "@hono/node-server/conninfo";
import { type ErrorCode, isSallyportError } from "@sallyport/core/errors.ts";
import type { Context, Hono } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { z } from "zod";
import { type Access, checkAccess } from "./access.ts";
import { authenticate, type Caller } from "./caller.ts";
import { ClientAddresses, limitKey } from "./client-address.ts";
import { jsonBody, parseInput } from "./json-body.ts";
import type { AppEnv, Services } from "./services.ts";

/** One route of the API: what it is for, who may call it, what comes in and what goes out. The OpenAPI document is made of these. */
export interface Route<A extends Access = Access, P = unknown, Q = unknown, B = unknown> {
  method: "get" | "post" | "put" | "patch" | "delete";
  /** Below the API's own, `/api/v1`, as OpenAPI writes it: `/engagements/{name}`. */
  path: string;
  access: A;
  /** A few words, as in a list of routes. */
  summary: string;
  /** Counts against the rate limit of the caller's address. */
  limited?: true;
  /** As how many requests it counts against the caller's limit, where that is not one. */
  cost?: number;
  /** A `self` route that also takes tokens which no sign-in stands behind. */
  takesTokens?: true;
  /** Most bytes of its body, where that is not 256 KiB. */
  maxBody?: number;
  params?: z.ZodType<P>;
  query?: z.ZodType<Q>;
  body?: z.ZodType<B>;
  answer: Answer;
  /** Codes that it answers besides those that any route of its kind may. */
  errors?: readonly ErrorCode[];
}

/** What a route answers when all goes well: JSON of a schema, another type, or nothing. */
export type Answer =
  | { status: 200 | 201 | 202; schema: z.ZodType; description: string }
  | { status: 200; type: string; description: string }
  | { status: 204; description: string };

/** What a handler gets; everything is parsed, and the caller may do this. */
export interface Call<A extends Access, P, Q, B> {
  context: Context<AppEnv>;
  caller: A extends "public" ? undefined : Caller;
  /** The client's address, as the connection tells. */
  address: string;
  params: P;
  query: Q;
  body: B;
}

/** The routes below a path: adds them to the application and remembers them for the OpenAPI document. */
export class Api {
  readonly base: string;
  readonly routes: Route[] = [];
  readonly #app: Hono<AppEnv>;
  readonly #services: Services;
  readonly #addresses: ClientAddresses;

  /** `base` is the path that stands in front of every route's own, or "". */
  constructor(app: Hono<AppEnv>, base: string, services: Services) {
    this.base = base;
    this.#app = app;
    this.#services = services;
    this.#addresses = new ClientAddresses(services.config.trustedProxies);
  }

  /** Adds a route. A handler returns what its schema describes, or a Response of its own for what is not JSON. */
  add<A extends Access, P = unknown, Q = unknown, B = unknown>(
    route: Route<A, P, Q, B>,
    handle: (call: Call<A, P, Q, B>) => Promise<unknown> | unknown,
  ): void {
    this.routes.push(route as Route);
    const path = `${this.base}${route.path}`;
    this.#app.on(route.method.toUpperCase(), path.replaceAll(/\{(\w+)\}/g, ":$1"), async (context) => {
      context.set("route", path);
      const call = await this.#admit(route, context);
      const answer = await handle(call);
      if (answer instanceof Response) return answer;
      const { status } = route.answer;
      return status === 204
        ? context.body(null, 204)
        : context.json(answer as object, status as ContentfulStatusCode);
    });
  }

  async #admit<A extends Access, P, Q, B>(
    route: Route<A, P, Q, B>,
    context: Context<AppEnv>,
  ): Promise<Call<A, P, Q, B>> {
    const connection = getConnInfo(context).remote.address;
    const address = this.#addresses.of(connection, context.req.header("x-forwarded-for"));
    if (route.limited) this.#services.rateLimit.take(limitKey(address));
    const caller = route.access === "public" ? undefined : await this.#caller(route, context, address);
    return {
      context,
      caller: caller as Call<A, P, Q, B>["caller"],
      address,
      params: parseInput(context.req.param(), route.params, "path"),
      query: parseInput(context.req.query(), route.query, "query"),
      body: route.body === undefined ? (undefined as B) : await jsonBody(context, route.body, route.maxBody),
    };
  }

  async #caller(
    { access, takesTokens, cost }: Pick<Route, "access" | "takesTokens" | "cost">,
    context: Context<AppEnv>,
    address: string,
  ): Promise<Caller> {
    const { db, environment, config, callerLimit, failureLimit } = this.#services;
    const header = context.req.header("authorization");
    const caller = await authenticate({ db, clock: environment.clock, config }, header).catch((error) => {
      if (isSallyportError(error, "unauthenticated")) failureLimit.take(limitKey(address));
      throw error;
    });
    const { issuer, subject, tokenKind, tokenHash } = caller;
    callerLimit.take(tokenKind === "sign-in" ? JSON.stringify([issuer, subject]) : tokenHash, cost);
    checkAccess(caller, access, takesTokens);
    return caller;
  }
}
