import { readdirSync } from "node:fs";
import { enableCompileCache, flushCompileCache } from "node:module";

// What V8 has made of the program is kept: it starts in half the time, and in less memory.
const { SALLYPORT_CODE_CACHE: cache, SALLYPORT_PRIME: prime } = process.env;
delete process.env.SALLYPORT_CODE_CACHE;
delete process.env.SALLYPORT_PRIME;
if (cache) enableCompileCache(cache);
if (prime) {
  // All of it, run or not: packages do so when they are installed.
  for (const name of readdirSync(import.meta.dirname))
    if (name.endsWith(".mjs") && name !== "main.mjs" && name !== "start.mjs") await import(`./${name}`);
  flushCompileCache();
} else await import("./main.mjs");
