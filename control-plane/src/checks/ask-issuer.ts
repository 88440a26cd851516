import { printable } from "@sallyport/core/terminal-text.ts";
import { z } from "zod";
import type { IssuerConfiguration } from "../issuers/issuer-configuration.ts";
import { type BoundedAnswer, fetchBounded } from "./fetch-bounded.ts";
import type { IssuerEndpoints } from "./issuer-endpoints.ts";

/** What an IdP said of a refresh token. */
export type IssuerAnswer =
  | { kind: "vouches"; refreshToken: string | undefined; idToken: string | undefined }
  /** It does not vouch. `answer` is its own word, fit for people. */
  | { kind: "refuses"; answer: string }
  | SilentAnswer;

/** None that says anything about the person. */
export interface SilentAnswer {
  kind: "silent";
  problem: string;
  /** The IdP may have taken in the question all the same, and replaced the refresh token. */
  mayHaveRotated: boolean;
  /** In seconds. */
  retryAfter: number | undefined;
}

/** How an IdP is asked. */
export interface IssuerQuestion {
  issuer: Pick<IssuerConfiguration, "issuer" | "clientId" | "clientSecret" | "check" | "preset">;
  /** Of `check.introspection`. */
  introspectionSecret: string | undefined;
  subject: string;
  refreshToken: string;
}

/**
 * OAuth errors that speak of the person or their sign-in (RFC 6749 §5.2, OpenID Connect Core §3.1.2.6, Auth0's `access_denied`). All
 * others speak of us, and say nothing about them.
 */
const REFUSALS = [
  "invalid_grant",
  "interaction_required",
  "login_required",
  "consent_required",
  "account_selection_required",
  "access_denied",
];

/** Errors that come before a request leaves: then nothing has changed at the IdP. */
const NEVER_SENT =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT|ERR_TLS_.*|CERT_.*|DEPTH_ZERO_.*|SELF_SIGNED_.*|UNABLE_TO_.*)$/;

const Tokens = z.object({
  access_token: z.string().max(100_000).optional(),
  refresh_token: z.string().min(1).max(20_000).optional(),
  id_token: z.string().min(1).max(100_000).optional(),
});
const OAuthError = z.object({ error: z.string().min(1), error_description: z.string().optional() });
const Introspected = z.object({ active: z.boolean(), sub: z.string().optional() });

/** Asks the IdP with the refresh token (RFC 6749 §6, OpenID Connect Core §12). Never throws. */
export async function askByRefresh(
  endpoints: IssuerEndpoints,
  question: IssuerQuestion,
): Promise<IssuerAnswer> {
  const { issuer, refreshToken } = question;
  const { clientId, clientSecret } = issuer;
  const fields = {
    ...{ grant_type: "refresh_token", refresh_token: refreshToken, client_id: clientId },
    // What native clients of some IdPs have to send is no secret (RFC 8252 §8.5).
    ...(clientSecret === null ? {} : { client_secret: clientSecret }),
  };
  return ask(
    endpoints,
    question,
    ({ token }) => token,
    { fields },
    (json) => {
      const { data } = Tokens.safeParse(json);
      if (data === undefined || (data.access_token ?? data.id_token) === undefined) return undefined;
      return { kind: "vouches", refreshToken: data.refresh_token, idToken: data.id_token };
    },
  );
}

/** Asks the IdP about the refresh token (RFC 7662), which changes nothing there. Never throws. */
export async function askByIntrospection(
  endpoints: IssuerEndpoints,
  question: IssuerQuestion,
): Promise<IssuerAnswer> {
  const { issuer, introspectionSecret: clientSecret = "", refreshToken, subject } = question;
  const { clientId = "", endpoint } = issuer.check.introspection ?? {};
  const fields = { token: refreshToken, token_type_hint: "refresh_token" };
  const form = { fields, basic: { clientId, clientSecret } };
  const answer = await ask(
    endpoints,
    question,
    ({ introspection }) => endpoint ?? introspection,
    form,
    (json) => {
      const { data } = Introspected.safeParse(json);
      if (data === undefined) return undefined;
      if (!data.active) return { kind: "refuses", answer: "introspection: not active" };
      // A refresh token of somebody else's could have been handed over.
      if (data.sub === undefined) return silent("it does not say whose the token is", false);
      if (data.sub !== subject) return { kind: "refuses", answer: "introspection: another subject" };
      return { kind: "vouches", refreshToken: undefined, idToken: undefined };
    },
  );
  return answer.kind === "silent" ? { ...answer, mayHaveRotated: false } : answer;
}

/** Tells the IdP that a refresh token is not needed any more (RFC 7009), where it listens to that. Rejects where it cannot be told. */
export async function revokeAtIssuer(
  endpoints: IssuerEndpoints,
  issuer: IssuerQuestion["issuer"],
  token: string,
): Promise<void> {
  const timeout = issuer.check.timeout * 1000;
  const { revocation } = await endpoints.of(issuer.issuer, timeout);
  if (revocation === undefined) return;
  const { clientId: client_id, clientSecret } = issuer;
  const secret = clientSecret === null ? {} : { client_secret: clientSecret };
  const fields = { token, token_type_hint: "refresh_token", client_id, ...secret };
  await fetchBounded(revocation, timeout, { fields });
}

async function ask(
  endpoints: IssuerEndpoints,
  { issuer }: IssuerQuestion,
  where: (known: Awaited<ReturnType<IssuerEndpoints["of"]>>) => string | undefined,
  form: Parameters<typeof fetchBounded>[2],
  read: (json: unknown) => IssuerAnswer | undefined,
): Promise<IssuerAnswer> {
  const timeout = issuer.check.timeout * 1000;
  const until = Date.now() + timeout;
  let url: string | undefined;
  try {
    url = where(await endpoints.of(issuer.issuer, timeout));
  } catch (error) {
    return silent(problemOf(error), false);
  }
  if (url === undefined) return silent("it publishes no endpoint for introspection", false);
  try {
    const answer = await fetchBounded(url, Math.max(1, until - Date.now()), form);
    if (answer.status === 404) endpoints.forget(issuer.issuer);
    return judge(answer, issuer.preset, read);
  } catch (error) {
    return silent(problemOf(error), !NEVER_SENT.test(codeOf(error)));
  }
}

function judge(
  { status, json, retryAfter }: BoundedAnswer,
  preset: string,
  read: (json: unknown) => IssuerAnswer | undefined,
): IssuerAnswer {
  if (status === 200) return read(json) ?? silent("its answer is not what the standard says", true);
  if (status === 429) return silent("it asks us to slow down (429)", false, retryAfter);
  const { data } = OAuthError.safeParse(json);
  if (data === undefined || status < 400 || status >= 500)
    return silent(`it answered ${status}`, true, retryAfter);
  const error = printable(data.error, 60);
  const isRefusal = REFUSALS.includes(data.error) || (preset === "auth0" && data.error === "unauthorized");
  if (!isRefusal) return silent(`it refuses us, not the person: ${error} (${status})`, false, retryAfter);
  // Descriptions may be long and may hold codes and ids (Entra ID's do); the first line says what is the matter.
  const why = (data.error_description ?? "").split(/\r?\n/)[0] ?? "";
  return { kind: "refuses", answer: why === "" ? error : `${error}: ${printable(why, 200)}` };
}

function silent(problem: string, mayHaveRotated: boolean, retryAfter?: number): SilentAnswer {
  return { kind: "silent", problem, mayHaveRotated, retryAfter };
}

function problemOf(error: unknown): string {
  const code = codeOf(error);
  if (error instanceof Error && error.name === "TimeoutError") return "no answer in time";
  return code === ""
    ? printable(error instanceof Error ? error.message : String(error), 200)
    : `no answer (${code})`;
}

/** Of the innermost cause: fetch says only that it failed. */
function codeOf(error: unknown): string {
  let code = "";
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    if ("code" in at && typeof at.code === "string") code = at.code;
    if (at instanceof AggregateError && at.errors[0] instanceof Error) code = codeOf(at.errors[0]) || code;
  }
  return code;
}
