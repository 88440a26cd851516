import type { IncomingMessage, ServerResponse } from "node:http";
import type { InteractionResults, Provider } from "oidc-provider";
import { ACR } from "./configuration.ts";
import { codePage, loginPage, messagePage } from "./pages.ts";
import { DEMO_CODE, type DemoUser, sameText, type UserDirectory } from "./users.ts";

const MAX_FORM_BYTES = 10_000;

/** A step of the sign-in either shows a page or finishes with a result for oidc-provider. */
type Outcome = { status: number; html: string } | { finish: InteractionResults };

/** The pages between an authorization request and its answer: password, then a code for users with MFA. */
export class SignIn {
  readonly #provider: Provider;
  readonly #users: UserDirectory;
  /** Who has given the right password in which interaction and still owes the code. */
  readonly #awaitingCode = new Map<string, DemoUser>();

  constructor(provider: Provider, users: UserDirectory) {
    this.#provider = provider;
    this.#users = users;
  }

  /** Answers requests below /interaction/. */
  async handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const [, , uid = "", step = ""] = new URL(req.url ?? "/", "http://idp").pathname.split("/");
    const interaction = await this.#provider.interactionDetails(req, res).catch(() => undefined);
    if (interaction?.uid !== uid) {
      return send(
        res,
        400,
        messagePage(
          "This sign-in has ended",
          "It expired or was already used. Start again where you came from.",
        ),
      );
    }
    const outcome = await this.#step(uid, `${req.method} ${step}`, req);
    if (!("finish" in outcome)) return send(res, outcome.status, outcome.html);
    this.#awaitingCode.delete(uid);
    await this.#provider.interactionFinished(req, res, outcome.finish, { mergeWithLastSubmission: false });
  }

  async #step(uid: string, step: string, req: IncomingMessage): Promise<Outcome> {
    const path = `/interaction/${uid}`;
    switch (step) {
      case "GET ":
        return { status: 200, html: this.#awaitingCode.has(uid) ? codePage(path) : loginPage(path) };
      case "POST login":
        return this.#password(uid, path, await readForm(req));
      case "POST code":
        return this.#code(uid, path, await readForm(req));
      case "POST cancel":
        return { finish: { error: "access_denied", error_description: "The sign-in was cancelled." } };
      default:
        return { status: 404, html: messagePage("Not found", "There is no such page.") };
    }
  }

  #password(uid: string, path: string, form: URLSearchParams): Outcome {
    const user = this.#users.authenticate(form.get("username") ?? "", form.get("password") ?? "");
    if (!user) return { status: 400, html: loginPage(path, "User name or password is wrong.") };
    if (this.#users.isDisabled(user.sub)) return disabled(path);
    if (!user.mfa) return signedIn(user, ["pwd"], ACR.password);
    this.#awaitingCode.set(uid, user);
    return { status: 200, html: codePage(path) };
  }

  #code(uid: string, path: string, form: URLSearchParams): Outcome {
    const user = this.#awaitingCode.get(uid);
    if (!user) return { status: 400, html: loginPage(path, "The password comes first.") };
    if (this.#users.isDisabled(user.sub)) return disabled(path);
    if (!sameText((form.get("code") ?? "").trim(), DEMO_CODE))
      return { status: 400, html: codePage(path, "The code is wrong.") };
    return signedIn(user, ["pwd", "otp", "mfa"], ACR.mfa);
  }
}

function disabled(path: string): Outcome {
  return {
    status: 400,
    html: loginPage(path, "This account is disabled. Ask the administrator of your organisation."),
  };
}

function signedIn(user: DemoUser, amr: string[], acr: string): Outcome {
  return { finish: { login: { accountId: user.sub, amr, acr, remember: false } } };
}

async function readForm(req: IncomingMessage): Promise<URLSearchParams> {
  req.setEncoding("utf8");
  let body = "";
  for await (const chunk of req) {
    body += chunk;
    if (body.length > MAX_FORM_BYTES) break;
  }
  return new URLSearchParams(body.length > MAX_FORM_BYTES ? "" : body);
}

function send(res: ServerResponse, status: number, html: string): void {
  res.writeHead(status, {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
  });
  res.end(html);
}
