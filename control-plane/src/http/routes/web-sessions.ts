import { WebCode } from "@sallyport/core/messages/recordings.ts";
import { makeWebCode } from "../../web/web-session.ts";
import type { Api } from "../api.ts";
import type { Services } from "../services.ts";

/** How a person who is signed in on the command line gets a browser signed in. */
export function webSessionRoutes(api: Api, services: Services): void {
  api.add(
    {
      method: "post",
      path: "/web-sessions",
      access: "self",
      summary: "A code that signs one browser in to the web page, once, within a minute",
      answer: { status: 201, schema: WebCode, description: "The code and the page it is for." },
    },
    ({ caller }) => makeWebCode(services, caller),
  );
}
