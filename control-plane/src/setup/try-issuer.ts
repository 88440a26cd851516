import { SallyportError } from "@sallyport/core/errors.ts";
import type { Configuration } from "../config/configuration.ts";
import { fetchJwks } from "../issuers/fetch-jwks.ts";

/** Asks each issuer for its discovery document and keys. Code `issuer-unreachable`, saying why and what can be done. */
export async function tryIssuers({ issuers }: Pick<Configuration, "issuers">): Promise<string[]> {
  const lines: string[] = [];
  for (const { issuer, name, clientId } of issuers) {
    try {
      const { keys } = await fetchJwks(issuer, clientId);
      lines.push(`${name} answers: ${keys.length} ${keys.length === 1 ? "key" : "keys"}.`);
    } catch (cause) {
      throw new SallyportError(
        "issuer-unreachable",
        `Nothing was written: ${issuer} does not answer as an OpenID provider (${reason(cause)}). Check the issuer, and that this machine ` +
          "reaches it over the network; or run setup again with --try-issuer no.",
        { cause },
      );
    }
  }
  return lines;
}

/** The innermost reason: what is around it says only that fetching failed. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const inner = error.cause instanceof AggregateError ? error.cause.errors[0] : error.cause;
  return inner instanceof Error ? reason(inner) : error.message;
}
