import { parseCertificateLine } from "@sallyport/core/ssh/certificate.ts";
import { HostCertificates } from "../../host-certificates/host-certificates.ts";
import { check, type ExaminedHost, error, type Found, ok, warning } from "../check.ts";

const FIX =
  "sallyport-agent status (renewal takes a connection to the control plane, a third of its life before the end)";

/** Have sshd's host certificates enough of their life before them? They are renewed when a third is left. */
export const hostCertificatesCheck = check("host-certificates", (host) => {
  const { pinned, config } = host;
  if (pinned === null) return [];
  const { dropIn, sshd } = { dropIn: config.sshdDropIn, sshd: config.sshd };
  const { trust } = pinned;
  const keys = new HostCertificates({
    ...{ dropIn, sshd, hostName: pinned.host.name },
    trust: () => trust,
    now: host.now,
  }).held();
  const found = keys.flatMap(({ path, certificate }) => judge(host, path, certificate));
  if (keys.length === 0 || found.length > 0) return found;
  return [ok(`${keys.length} host certificates are good for a while`)];
});

function judge({ now }: ExaminedHost, path: string, line: string | null): Found[] {
  const why = "Contractors' ssh then does not believe that this is the host, and refuses to connect.";
  let certificate: ReturnType<typeof parseCertificateLine>;
  try {
    certificate = parseCertificateLine(line ?? "");
  } catch {
    return [error(`${path} is missing, or is no certificate`, why, FIX)];
  }
  const { validAfter, validBefore } = certificate;
  const end = new Date(validBefore * 1000).toISOString();
  if (validBefore <= now()) return [error(`the host certificate ${path} ended ${end}`, why, FIX)];
  if (validBefore - now() > (validBefore - validAfter) / 4) return [];
  return [warning(`the host certificate ${path} ends ${end} and was not renewed`, why, FIX)];
}
