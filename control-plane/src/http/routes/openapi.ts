import type { Api } from "../api.ts";
import { type DeclaredRoutes, openApiDocument } from "../openapi/document.ts";

/** The API's own description: of every route in `declared`, itself among them, as they are at the first request. */
export function openApiRoutes(api: Api, declared: readonly DeclaredRoutes[], url: string): void {
  let text: string | undefined;
  api.add(
    {
      method: "get",
      path: "/openapi.json",
      access: "public",
      summary: "This document",
      answer: { status: 200, type: "application/json", description: "OpenAPI 3.1." },
    },
    ({ context }) => {
      text ??= JSON.stringify(openApiDocument(declared, url));
      return context.body(text, 200, { "content-type": "application/json" });
    },
  );
}
