import { getConnInfo } from "@hono/node-server/conninfo";
import { isSallyportError } from "@sallyport/core/errors.ts";
import type { Context, Hono } from "hono";
import { errorFields } from "../../log.ts";
import { MAX_SET } from "../../security-events/decode-set.ts";
import { receivePushed } from "../../security-events/receive-set.ts";
import { SetError } from "../../security-events/set-error.ts";
import { ClientAddresses, limitKey } from "../client-address.ts";
import { limitedText } from "../json-body.ts";
import type { AppEnv, Services } from "../services.ts";

const PATH = "/security-events";
/** Seconds after which a transmitter is to come again. */
const RETRY_AFTER = "10";

/**
 * Push delivery of Security Event Tokens (RFC 8935): 202 and nothing once a token is stored, 400 with `err` and `description` where it
 * is refused for good, 503 where it may pass later, as the IdP's keys cannot be had.
 */
export function securityEventRoutes(app: Hono<AppEnv>, services: Services): void {
  const addresses = new ClientAddresses(services.config.trustedProxies);
  app.post(PATH, async (context) => {
    context.set("route", PATH);
    const connection = getConnInfo(context).remote.address;
    const address = addresses.of(connection, context.req.header("x-forwarded-for"));
    try {
      const compact = await setOf(context);
      await receivePushed(services.securityEvents, compact, context.req.header("authorization"));
      return context.body(null, 202);
    } catch (error) {
      if (isSallyportError(error, "issuer-unreachable")) {
        context.header("retry-after", RETRY_AFTER);
        return context.body(null, 503);
      }
      if (!(error instanceof SetError)) throw error;
      services.failureLimit.take(limitKey(address));
      if (!error.isSigned)
        services.environment.log.warn("a security event that nobody has signed was refused", {
          address,
          code: error.code,
          ...errorFields(error),
        });
      context.header("content-language", "en");
      return context.json({ err: error.code, description: error.message }, 400);
    }
  });
}

async function setOf(context: Context<AppEnv>): Promise<string> {
  const type = context.req.header("content-type") ?? "";
  if (!/^application\/secevent\+jwt(?:\s*;|$)/i.test(type))
    throw new SetError("invalid_request", "The body must be one token, as application/secevent+jwt.");
  try {
    return await limitedText(context, MAX_SET);
  } catch (cause) {
    if (!isSallyportError(cause, "message-too-large")) throw cause;
    throw new SetError("invalid_request", `The token is longer than ${MAX_SET} bytes.`, { cause });
  }
}
