import { SallyportError } from "@sallyport/core/errors.ts";
import type { Context } from "hono";
import { getCookie, setCookie } from "hono/cookie";

const PATH = "/web";

/** The cookie of the web page: no script reads it, and no other site's request carries it. */
export class WebCookie {
  readonly #isHttps: boolean;
  readonly #name: string;

  constructor(url: string) {
    this.#isHttps = url.startsWith("https:");
    // Browsers take a cookie of that name only over https, so that no plain-http page of the name's can plant one.
    this.#name = this.#isHttps ? "__Secure-sallyport-web" : "sallyport-web";
  }

  read(context: Context): string | undefined {
    const value = getCookie(context, this.#name);
    return value !== undefined && /^[A-Za-z0-9_-]{20,128}$/.test(value) ? value : undefined;
  }

  /** Sets it for so many seconds; 0 takes it away. */
  set(context: Context, value: string, lifetime: number): void {
    setCookie(context, this.#name, value, {
      path: PATH,
      httpOnly: true,
      secure: this.#isHttps,
      sameSite: "Strict",
      maxAge: lifetime,
    });
  }
}

/** Lets only our own page change something: browsers say where a POST comes from. Code `forbidden`. */
export function checkOrigin(context: Context, url: string): void {
  if (context.req.header("origin") === new URL(url).origin) return;
  throw new SallyportError("forbidden", "This request does not come from the page of this server.");
}

/**
 * Lets only our own page read: a neighbour under the same domain counts as the same site for cookies, and could have
 * somebody look at recordings, in the audit log, without knowing. Code `forbidden`. Browsers that do not say are let on.
 */
export function checkFetchSite(context: Context): void {
  const site = context.req.header("sec-fetch-site");
  if (site === undefined || site === "same-origin") return;
  throw new SallyportError("forbidden", "This is for the page of this server alone.");
}
