import { spoolUsage } from "../../status/spool-usage.ts";
import { bytesText, plural } from "../../status/units.ts";
import { check, type ExaminedHost, error, type Found, ok, warning } from "../check.ts";

const MIB = 1024 * 1024;
/** So many times the reserve is little. */
const LITTLE = 3;

/** Room for recordings: what cannot be recorded is not admitted. */
export const diskCheck = check("disk", (host) => {
  const { paths } = host;
  const usage = spoolUsage(paths.spool, paths.rejected);
  return [...space(host, usage), ...limit(host, usage), ...setAside(host, usage.rejected)];
});

function space(
  { config, paths }: ExaminedHost,
  { freeBytes, freeInodes }: ReturnType<typeof spoolUsage>,
): Found[] {
  const reserve = config.diskReserve * MIB;
  const free = `${bytesText(freeBytes)} and ${inodesText(freeInodes)} are free for ${paths.spool}`;
  const fix = `df -h ${paths.spool}; df -i ${paths.spool}; make room elsewhere on that file system. Never delete in the spool by hand while sessions run`;
  if (freeBytes < reserve || freeInodes < config.inodeReserve)
    return [
      error(
        `only ${free}; ${bytesText(reserve)} and ${config.inodeReserve} are kept in reserve`,
        "New logins of contractors are refused (spool-full), so that the running sessions can end cleanly.",
        fix,
      ),
    ];
  if (freeBytes < LITTLE * reserve || freeInodes < LITTLE * config.inodeReserve)
    return [warning(free, `Below ${bytesText(reserve)} contractors are refused.`, fix)];
  return [ok(free)];
}

function inodesText(freeInodes: number): string {
  return freeInodes === Number.MAX_SAFE_INTEGER ? "any number of files" : `${freeInodes} inodes`;
}

function limit({ config }: ExaminedHost, { bytes, recordings }: ReturnType<typeof spoolUsage>): Found[] {
  const most = config.spoolLimit * MIB;
  const what = `${plural(recordings, "recording")} waiting for upload, ${bytesText(bytes)} of at most ${bytesText(most)}`;
  const fix = "Bring the control plane back: recordings leave this host as they are stored there";
  if (bytes >= most) return [error(what, "At that limit contractors are refused (spool-full).", fix)];
  if (bytes > most / 2) return [warning(what, "At that limit contractors are refused (spool-full).", fix)];
  return [ok(what)];
}

function setAside({ config, paths }: ExaminedHost, rejected: number): Found[] {
  if (rejected === 0) return [];
  return [
    warning(
      `${plural(rejected, "recording")} set aside in ${paths.rejected}`,
      `They are damaged, or the control plane refuses them: evidence that is nowhere else. They are removed after ${config.spoolAge} days.`,
      `Look at them, and keep a copy: ls -l ${paths.rejected}; journalctl -u sallyport-agent | grep -E 'set aside|never be uploaded'`,
    ),
  ];
}
