import { CookieJar } from "./sign-in-by-form/cookie-jar.ts";
import { type Form, findForms } from "./sign-in-by-form/forms.ts";

export type SignInInput = {
  username: string;
  password: string;
  /** Typed where a one-time code is asked. */
  code?: string;
  /** Presses Cancel instead of filling anything in. */
  cancel?: boolean;
};

export type SignInOutcome = { finalUrl: string; status: number; body: string };

const MAX_STEPS = 20;

/**
 * Signs in as a browser without JavaScript would: follows redirects with a cookie jar, fills each form once and
 * submits it, and follows the answer down to the loopback redirect, which it fetches as well. Returns the last page:
 * the client's "you can close this window", or the form again where the IdP refused what was typed.
 */
export async function signInByForm(
  url: string,
  input: SignInInput,
  cookies: CookieJar = new CookieJar(),
): Promise<SignInOutcome> {
  const filled = new Set<string>();
  let request = { url: new URL(url), init: {} as RequestInit };

  for (let step = 0; step < MAX_STEPS; step++) {
    const response = await fetch(request.url, {
      ...request.init,
      redirect: "manual",
      headers: { ...request.init.headers, cookie: cookies.headerFor(request.url), connection: "close" },
    });
    cookies.store(request.url, response.headers.getSetCookie());
    const body = await response.text();

    const location = response.headers.get("location");
    if (response.status >= 300 && response.status < 400 && location !== null) {
      request = { url: new URL(location, request.url), init: {} };
      continue;
    }
    const form = chooseForm(findForms(body, request.url), input, filled);
    if (!form) return { finalUrl: request.url.href, status: response.status, body };
    request = submit(form, input);
  }
  throw new Error(`The sign-in at ${url} did not come to an end within ${MAX_STEPS} steps.`);
}

/** The form to fill next, or none: a kind of form that comes back was refused, and a person would read why. */
function chooseForm(forms: Form[], input: SignInInput, filled: Set<string>): Form | undefined {
  const wanted = input.cancel ? ["cancel"] : ["password", ...(input.code === undefined ? [] : ["code"])];
  for (const field of wanted) {
    const form = forms.find((candidate) => candidate.fields.has(field));
    if (!form || filled.has(field)) continue;
    filled.add(field);
    return form;
  }
  return undefined;
}

function submit(form: Form, input: SignInInput): { url: URL; init: RequestInit } {
  const values = new URLSearchParams();
  const typed: Record<string, string | undefined> = {
    username: input.username,
    password: input.password,
    code: input.code,
  };
  for (const [name, value] of form.fields) {
    values.set(name, typed[name] ?? value);
  }
  if (form.method === "get") {
    const url = new URL(form.action);
    url.search = values.toString();
    return { url, init: {} };
  }
  return {
    url: form.action,
    init: {
      method: "POST",
      body: values.toString(),
      headers: { "content-type": "application/x-www-form-urlencoded" },
    },
  };
}
