import { SallyportError } from "@sallyport/core/errors.ts";
import type { TokenView } from "@sallyport/core/messages/api-tokens.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import type { Command } from "commander";
import { type Context, nowSeconds } from "../context.ts";
import { isoTime, json } from "../output/json.ts";
import { columnsOf, table } from "../output/table.ts";
import { fromNow, localTime } from "../output/time.ts";
import { examples, refuseNames, signedInApi } from "./command.ts";

const SECONDS = { h: 3600, d: 86_400, w: 7 * 86_400 };

/** What the control plane's TokenScope has; it is the one that decides. */
const SCOPES = [
  "engagements:read",
  "engagements:write",
  "engagements:end",
  "approvals:read",
  "hosts:read",
  "hosts:write",
  "sessions:read",
  "recordings:read",
  "recordings:hold",
  "revocations:read",
  "revocations:write",
  "audit:read",
  "metrics:read",
];

interface CreateOptions {
  scope: string[];
  expires: number;
  json?: boolean;
}

/** `sallyport token` */
export function registerToken(program: Command, context: Context): void {
  const token = program
    .command("token")
    .summary("make, list and revoke API tokens for programs")
    .description(
      "API tokens for programs such as a CI job. A token may do what its scopes and your roles, as they are at each request, both allow. A program gets it as SALLYPORT_TOKEN, with SALLYPORT_SERVER.",
    )
    .addHelpText(
      "after",
      examples(
        "sallyport token create ci --scope engagements:read --scope engagements:write --expires 90d",
        "SALLYPORT_SERVER=https://sallyport.example.com SALLYPORT_TOKEN=spt_… sallyport apply -f policy.yaml",
      ),
    );
  token
    .command("create")
    .description("Make a token and print it. It is shown only now.")
    .argument("<name>", "what it is for")
    .requiredOption("--scope <permission>", "what it may do, as engagements:write; repeatable", collect, [])
    .option(
      "--expires <duration>",
      "how long it is good: 12h, 90d, 52w; at most a year",
      duration,
      30 * SECONDS.d,
    )
    .option("--json", "as one JSON object")
    .addHelpText(
      "after",
      `\nScopes:\n  ${SCOPES.join("\n  ")}\n${examples("sallyport token create prometheus --scope metrics:read --expires 52w")}`,
    )
    .action((name: string, options: CreateOptions) => create(context, name, options));
  refuseNames(
    token.command("list", { isDefault: true }),
    "To list tokens: sallyport token list; to make one: sallyport token create NAME --scope …",
  )
    .description("List your tokens; for an admin everybody's.")
    .option("--json", "as a JSON array")
    .addHelpText("after", examples("sallyport token list", "sallyport token list --json"))
    .action((options: { json?: boolean }) => list(context, options));
  token
    .command("revoke")
    .description("Make a token worthless at once.")
    .argument("<id>", "its id, as `sallyport token list` shows it")
    .addHelpText("after", examples("sallyport token revoke tok_01jd3q5mznfz9gkh8ch8vscd2r"))
    .action((id: string) => revoke(context, id));
}

async function create(context: Context, name: string, { scope, expires, json: asJson }: CreateOptions) {
  if (scope.length === 0)
    throw new SallyportError(
      "usage",
      "--scope is missing: say what the token may do, such as --scope sessions:read; sallyport token create --help lists the scopes.",
    );
  const unknown = scope.find((each) => !SCOPES.includes(each));
  if (unknown !== undefined)
    throw new SallyportError(
      "usage",
      `There is no scope ${JSON.stringify(unknown)}. There are: ${SCOPES.join(", ")}.`,
    );
  const expiresAt = nowSeconds(context) + expires;
  const made = await signedInApi(context).api.createToken({ name, scopes: scope, expiresAt });
  const times = { createdAt: isoTime(made.createdAt), expiresAt: isoTime(made.expiresAt) };
  if (asJson) return void context.stdout.write(json({ ...made, ...times }));
  context.stderr.write(
    `Token ${printable(made.id)}, good until ${localTime(made.expiresAt)}. It is shown only now; keep it where secrets are kept.\n`,
  );
  context.stdout.write(`${printable(made.token, 200)}\n`);
}

async function list(context: Context, options: { json?: boolean }): Promise<void> {
  const tokens = await signedInApi(context).api.tokens();
  if (options.json) return void context.stdout.write(json(tokens.map(tokenJson)));
  if (tokens.length === 0) return void context.stderr.write("There are no tokens.\n");
  const now = nowSeconds(context);
  const rows = tokens.map(({ id, name, scopes, owner, expiresAt, lastUsedAt }) => [
    id,
    name,
    owner.name,
    scopes.join(" "),
    fromNow(expiresAt, now),
    lastUsedAt === null ? "never" : fromNow(lastUsedAt, now),
  ]);
  context.stdout.write(
    table(["ID", "NAME", "OF", "SCOPES", "ENDS", "LAST USED"], rows, columnsOf(context.stdout)),
  );
}

async function revoke(context: Context, id: string): Promise<void> {
  await signedInApi(context).api.revokeToken(id);
  context.stderr.write(`Token ${printable(id)} is worthless now.\n`);
}

function tokenJson(token: TokenView): unknown {
  const { createdAt, expiresAt, lastUsedAt } = token;
  return {
    ...token,
    createdAt: isoTime(createdAt),
    expiresAt: isoTime(expiresAt),
    lastUsedAt: isoTime(lastUsedAt),
  };
}

function collect(value: string, before: string[]): string[] {
  return [...before, value];
}

function duration(text: string): number {
  const [, count, unit] = /^(\d{1,4})([hdw])$/.exec(text) ?? [];
  if (count !== undefined && Number(count) > 0) return Number(count) * SECONDS[unit as keyof typeof SECONDS];
  throw new SallyportError(
    "usage",
    `--expires takes a time such as 12h, 90d or 52w, not ${JSON.stringify(text)}.`,
  );
}
