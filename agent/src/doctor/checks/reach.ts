import { askHttp } from "../ask-http.ts";
import { check, type ExaminedHost, error, type Found, ok, warning } from "../check.ts";

/** Can this host reach its control plane and the identity providers? All are asked at once. */
export const reachCheck = check("reach", async (host) => {
  const { pinned } = host;
  if (pinned === null) return [];
  const issuers = pinned.trust.issuers.map(({ issuer }) => issuer);
  return Promise.all([
    controlPlane(host, pinned.trust.controlPlane),
    ...issuers.map((issuer) => provider(host, issuer)),
  ]);
});

async function controlPlane({ now }: ExaminedHost, url: string): Promise<Found> {
  const { status, reason } = await askHttp(`${url}/healthz`, now);
  if (status === 200) return ok(`the control plane ${url} answers`);
  return error(
    `the control plane ${url} cannot be reached: ${reason}`,
    "Now: revocations do not come through and recordings stay here. When the lease ends: nobody is admitted any more.",
    `curl -v ${url}/healthz`,
  );
}

async function provider(host: ExaminedHost, issuer: string): Promise<Found> {
  const url = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
  const { status, reason, body } = await askHttp(url, host.now);
  const wrong = status === 200 ? complaint(body, issuer) : reason;
  if (wrong === null) return ok(`the identity provider ${issuer} answers`);
  const what = `the keys of ${issuer} cannot be fetched: ${wrong}`;
  const fix = `curl -v ${url}`;
  const keys = host.status?.issuers.find((one) => one.issuer === issuer)?.keys;
  if (keys === 0)
    return error(
      what,
      "No key of this provider is at hand: its people are refused (token-key-unknown).",
      fix,
    );
  return warning(
    what,
    "Logins go on with the keys that are at hand; when the provider changes its keys, its people are refused (token-key-unknown).",
    fix,
  );
}

/** What is wrong with a discovery document (OpenID Connect Discovery 1.0, 4.3), or null. */
function complaint(body: string, issuer: string): string | null {
  try {
    const document = JSON.parse(body) as Record<string, unknown> | null;
    if (document?.issuer !== issuer) return `it calls itself ${String(document?.issuer).slice(0, 200)}`;
    return typeof document.jwks_uri === "string" ? null : "it names no jwks_uri";
  } catch {
    return "its answer is not JSON";
  }
}
