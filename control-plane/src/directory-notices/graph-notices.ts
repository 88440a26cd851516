import { z } from "zod";
import { PlainText } from "../logout/idp-jwt.ts";

/** Most notices that are looked at in one request. */
const MOST = 1000;

const Notice = z.looseObject({
  clientState: z.string().max(255).optional(),
  changeType: z.string().max(64).optional(),
  lifecycleEvent: z.string().max(64).optional(),
  resource: z.string().max(2000).optional(),
  resourceData: z
    .looseObject({ id: PlainText(255).optional() })
    .nullable()
    .optional(),
});

const Collection = z.looseObject({ value: z.array(Notice).min(1).max(MOST) });

/** One notice of Microsoft Graph. */
export interface GraphNotice {
  clientState: string;
  /** Object id of the user that changed; undefined where the notice is about something else. */
  user: string | undefined;
  /** That something is wrong with the subscription itself: `subscriptionRemoved`, `missed`, `reauthorizationRequired`. */
  lifecycleEvent: string | undefined;
}

/** The notices in a body; undefined for what is none. */
export function readGraphNotices(json: unknown): GraphNotice[] | undefined {
  const result = Collection.safeParse(json);
  if (!result.success) return undefined;
  return result.data.value.map(({ clientState = "", lifecycleEvent, resource = "", resourceData }) => {
    // `Users/ID`, also as `users('ID')` where the subscription was made so.
    const [, named] = /^\/?users(?:\/|\(')([0-9a-zA-Z-]{1,255})(?:'\))?$/i.exec(resource) ?? [];
    return {
      clientState,
      lifecycleEvent,
      user: named === undefined ? undefined : (resourceData?.id ?? named),
    };
  });
}
