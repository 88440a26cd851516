import { SallyportError } from "@sallyport/core/errors.ts";

/** True for a URL of this very machine, where plain http gives nothing away. */
export function isLoopback(url: URL): boolean {
  return url.hostname === "localhost" || url.hostname === "[::1]" || /^127\.[0-9.]+$/.test(url.hostname);
}

/** The origin of a control plane as the user typed it. Code `usage`. */
export function parseServerUrl(text: string): string {
  let url: URL;
  try {
    url = new URL(text.includes("://") ? text : `https://${text}`);
  } catch (cause) {
    throw new SallyportError(
      "usage",
      `${JSON.stringify(text)} is not a URL; write https://sallyport.example.com`,
      { cause },
    );
  }
  if (
    url.username !== "" ||
    url.password !== "" ||
    url.search !== "" ||
    url.hash !== "" ||
    url.pathname !== "/"
  ) {
    throw new SallyportError("usage", `The server is given as ${url.origin}, without path, user or query.`);
  }
  if (url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url))) return url.origin;
  throw new SallyportError("usage", `The server's address must begin with https://, not ${url.protocol}//`);
}
