import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** A file of the page, as it is served. */
export interface Asset {
  path: string;
  type: string;
  body: string;
}

const HTML = "text/html; charset=utf-8";
const SCRIPT = "text/javascript; charset=utf-8";
const STYLE = "text/css; charset=utf-8";

/** Everything that the page consists of; nothing comes from elsewhere. Read once, when the server starts. */
export function pageAssets(): Asset[] {
  const player = import.meta.resolve("asciinema-player/dist/bundle/asciinema-player.min.js");
  const playerStyle = import.meta.resolve("asciinema-player/dist/bundle/asciinema-player.css");
  return [
    { path: "", type: HTML, body: own("page.html") },
    { path: "/page.js", type: SCRIPT, body: own("page.js") },
    { path: "/page.css", type: STYLE, body: own("page.css") },
    { path: "/icon.svg", type: "image/svg+xml", body: own("icon.svg") },
    { path: "/player.js", type: SCRIPT, body: read(player) },
    { path: "/player.css", type: STYLE, body: read(playerStyle) },
  ];
}

/**
 * What the page may do: run its own scripts, and the player's terminal, which is WebAssembly; ask this server. Nothing inline,
 * nothing from elsewhere, no frames, no forms.
 */
export const PAGE_POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

function own(name: string): string {
  return read(new URL(`assets/${name}`, import.meta.url).href);
}

function read(url: string): string {
  return readFileSync(fileURLToPath(url), "utf8");
}
