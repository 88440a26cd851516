import { printableJson } from "@sallyport/core/terminal-text.ts";
import winston from "winston";
import type { Log } from "./environment.ts";

/** Writes JSON lines to standard output: `{"time", "level", "msg", …}`. */
export function createLog(level = "info"): Log {
  const logger = winston.createLogger({
    level,
    format: winston.format.printf(({ level, message, ...fields }) =>
      printableJson(JSON.stringify({ time: new Date().toISOString(), level, msg: message, ...fields })),
    ),
    transports: [new winston.transports.Stream({ stream: process.stdout })],
  });
  return {
    info: (message, fields = {}) => void logger.info(message, fields),
    warn: (message, fields = {}) => void logger.warn(message, fields),
    error: (message, fields = {}) => void logger.error(message, fields),
  };
}

/** An error as log fields: its name, code and message, and those of its causes; never its properties. */
export function errorFields(error: unknown): Record<string, unknown> {
  const causes: string[] = [];
  for (let at = error; at instanceof Error && causes.length < 5; at = at.cause) {
    causes.push(`${at.name}: ${at.message}`);
  }
  const stack = error instanceof Error ? error.stack?.split("\n").slice(1, 6).join("\n") : undefined;
  return { error: causes.join(" ← ") || String(error), ...(stack === undefined ? {} : { stack }) };
}
