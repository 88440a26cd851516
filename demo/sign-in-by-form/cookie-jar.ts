type Cookie = { name: string; value: string; host: string; path: string };

/** Cookies as a browser keeps them (RFC 6265), as far as one sign-in needs it: host, path and removal. */
export class CookieJar {
  #cookies: Cookie[] = [];

  /** Takes in the Set-Cookie lines of an answer from `url`. */
  store(url: URL, lines: readonly string[]): void {
    for (const line of lines) {
      const [pair = "", ...attributes] = line.split(";");
      const [name, value] = split(pair);
      const options = new Map(
        attributes.map((text) => split(text)).map(([key, v]) => [key.toLowerCase(), v]),
      );
      const path = options.get("path") || defaultPath(url);
      // Cookies do not know ports: an IdP and a control plane on 127.0.0.1 share them in a browser, so here too.
      const cookie = { name, value, host: url.hostname, path };
      this.#cookies = this.#cookies.filter(
        (old) => !(old.name === name && old.host === cookie.host && old.path === path),
      );
      if (!isExpired(options)) this.#cookies.push(cookie);
    }
  }

  /** The Cookie header for a request to `url`, longest path first. */
  headerFor(url: URL): string {
    return this.#cookies
      .filter((cookie) => cookie.host === url.hostname && pathMatches(url.pathname, cookie.path))
      .sort((a, b) => b.path.length - a.path.length)
      .map((cookie) => `${cookie.name}=${cookie.value}`)
      .join("; ");
  }
}

function split(pair: string): [string, string] {
  const at = pair.indexOf("=");
  return at < 0 ? [pair.trim(), ""] : [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
}

function defaultPath(url: URL): string {
  return url.pathname.slice(0, url.pathname.lastIndexOf("/")) || "/";
}

function pathMatches(path: string, prefix: string): boolean {
  return path === prefix || path.startsWith(prefix.endsWith("/") ? prefix : `${prefix}/`);
}

function isExpired(options: Map<string, string>): boolean {
  const maxAge = options.get("max-age");
  if (maxAge !== undefined) return Number(maxAge) <= 0;
  const expires = options.get("expires");
  return expires !== undefined && Date.parse(expires) <= Date.now();
}
