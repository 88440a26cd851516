import { SallyportError } from "@sallyport/core/errors.ts";
import { MadeToken, TokenRequest, TokenView } from "@sallyport/core/messages/api-tokens.ts";
import { z } from "zod";
import { audit } from "../../audit/audit.ts";
import {
  type ApiTokenRow,
  deleteListedToken,
  listApiTokens,
  type TokenOwner,
} from "../../database/api-tokens.ts";
import { inTransaction } from "../../database/open-database.ts";
import { seconds } from "../../environment.ts";
import { makeScopedToken } from "../../issuance/api-token.ts";
import { TokenScope } from "../../people/permissions.ts";
import type { Api } from "../api.ts";
import { actorName, type Caller } from "../caller.ts";
import type { Services } from "../services.ts";

const ById = z.object({ id: z.string().max(64) });
const Request = TokenRequest.extend({ scopes: z.array(TokenScope).min(1).max(TokenScope.options.length) });

/** API tokens: everybody's own; an admin sees and revokes all. Only a person who has signed in comes here. */
export function tokenRoutes(api: Api, { db, environment }: Services): void {
  api.add(
    {
      method: "post",
      path: "/tokens",
      access: "tokens:write",
      summary: "Make a token for a program, with some of your permissions, for up to a year",
      body: Request,
      answer: { status: 201, schema: MadeToken, description: "The token, shown only here." },
      errors: ["conflict"],
    },
    async ({ body, caller }) => {
      const lacking = body.scopes.filter((scope) => !caller.permissions.has(scope));
      if (lacking.length > 0)
        throw new SallyportError("forbidden", `You may not do this yourself: ${lacking.join(", ")}.`);
      const { issuer, subject, name, mfa } = caller;
      const maker = { issuer, subject, name, mfa };
      const scopes = [...new Set(body.scopes)];
      return makeScopedToken({ db, environment }, { ...body, scopes, maker, actor: actorName(caller) });
    },
  );

  api.add(
    {
      method: "get",
      path: "/tokens",
      access: "tokens:write",
      summary: "Tokens that were made and are not over, the latest first",
      answer: { status: 200, schema: z.array(TokenView), description: "Your own; an admin sees all." },
    },
    async ({ caller }) => (await listApiTokens(db, ownersFor(caller), seconds(environment.clock))).map(view),
  );

  api.add(
    {
      method: "delete",
      path: "/tokens/{id}",
      access: "tokens:write",
      summary: "Revoke a token: it is worthless at once",
      params: ById,
      answer: { status: 204, description: "Revoked." },
      errors: ["not-found"],
    },
    async ({ params: { id }, caller }) =>
      inTransaction(db, async (db) => {
        const row = await deleteListedToken(db, ownersFor(caller), id);
        if (row === undefined)
          throw new SallyportError("not-found", "There is no such token. `sallyport token list` lists them.");
        const { label: name, issuer, subject } = row;
        const data = { id, name, owner: { issuer, subject } };
        await audit(db, environment, { type: "token-revoked", actor: actorName(caller), data });
      }),
  );
}

function ownersFor({ roles, issuer, subject }: Caller): TokenOwner {
  return roles.includes("admin") ? "everybody" : { issuer, subject };
}

function view(row: ApiTokenRow): TokenView {
  return {
    id: row.id ?? "",
    name: row.label ?? "",
    kind: row.kind === "bootstrap" ? "bootstrap" : "scoped",
    scopes: JSON.parse(row.scopes_json ?? "[]") as string[],
    owner: { issuer: row.issuer, subject: row.subject, name: row.name },
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    lastUsedAt: row.last_used_at,
  };
}
