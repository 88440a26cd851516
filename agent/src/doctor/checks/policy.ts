import type { StatusDocument } from "../../status/status-document.ts";
import { moment } from "../../status/status-document.ts";
import { plural, spanText } from "../../status/units.ts";
import { check, type ExaminedHost, error, type Found, ok, warning } from "../check.ts";
import { storedPolicy } from "../stored-policy.ts";

/** A lease of which less is left than this is not being renewed: the control plane does so at a third of its length. */
const SHORT_LEASE = 60;

/** Policy and lease: may the host admit, and for how long without the control plane? */
export const policyCheck = check("policy", async (host) => {
  if (host.pinned === null) return [];
  const unusable = await whyUnusable(host);
  if (unusable !== null && (host.status === null || host.status.policy === null))
    return [
      error(
        `the policy on the disk is not used: ${unusable}`,
        "Nobody is admitted by a policy that is damaged, or older than the one that this host had: access that was taken away would be back.",
        "Bring the connection to the control plane back: it sends the newest one by itself",
      ),
      ...uplinkFound(host.status),
    ];
  const { policy, lease } = await known(host);
  if (policy === null || lease === null)
    return [
      error(
        "this host has no policy",
        "Without one nobody is admitted. It comes from the control plane when the agent first connects.",
        "systemctl start sallyport-agent; then see what is said of reach below",
      ),
    ];
  const found = [
    ok(`policy version ${policy.version} of ${policy.issuedAt}, ${plural(policy.engagements, "engagement")}`),
  ];
  if (policy.engagements === 0)
    found.push(
      warning(
        "no engagement names this host",
        "Nobody is admitted.",
        "On the control plane: check the hosts and labels of the engagements in its policy file",
      ),
    );
  return [...found, leaseFound(lease), ...uplinkFound(host.status)];
});

/** What the agent would say of its file of the policy at a start; null where that is well, or not there. */
function whyUnusable(host: ExaminedHost): Promise<string | null> {
  return storedPolicy(host).then(
    () => null,
    (cause: unknown) => (cause instanceof Error ? cause.message : String(cause)),
  );
}

/** From the agent; without one from its files, verified as the agent does. */
async function known(host: ExaminedHost): Promise<Pick<StatusDocument, "policy" | "lease">> {
  const { status, now } = host;
  if (status !== null) return status;
  const store = await storedPolicy(host);
  const bundle = store?.bundle ?? null;
  if (store === null || bundle === null) return { policy: null, lease: null };
  const { leaseUntil } = store;
  return {
    policy: {
      version: bundle.version,
      issuedAt: moment(bundle.issuedAt),
      engagements: bundle.engagements.length,
    },
    lease: { until: moment(leaseUntil), seconds: leaseUntil - now() },
  };
}

function leaseFound({ until, seconds }: NonNullable<StatusDocument["lease"]>): Found {
  const fix =
    "Bring the control plane, or the network to it, back; the host connects again by itself. If it is connected, the clock may be wrong: see what is said of it";
  if (seconds <= 0)
    return error(
      `the lease ran out ${spanText(-seconds)} ago`,
      "A host that has not heard from the control plane for so long admits nobody (lease-expired), for it may have missed a revocation.",
      fix,
    );
  if (seconds < SHORT_LEASE)
    return warning(`the lease runs out in ${spanText(seconds)}`, "From then on nobody is admitted.", fix);
  return ok(`the lease holds for ${spanText(seconds)}, until ${until}`);
}

function uplinkFound(status: StatusDocument | null): Found[] {
  if (status === null) return [];
  const { url, connectedSince, lastError } = status.uplink;
  if (connectedSince !== null) return [ok(`connected to ${url} since ${connectedSince}`)];
  return [
    warning(
      `not connected to ${url}${lastError === null ? "" : `: ${lastError}`}`,
      "Revocations do not come through, recordings are not uploaded, and when the lease ends nobody is admitted.",
      /401|4401|unexpected server response/i.test(lastError ?? "")
        ? "If the control plane does not know this host any more: sallyport-agent leave && sallyport-agent enroll --token-file FILE"
        : `curl -v ${url}/healthz`,
    ),
  ];
}
