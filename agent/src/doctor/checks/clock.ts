import { aheadText } from "../../status/status-text.ts";
import { askHttp } from "../ask-http.ts";
import { check, type ExaminedHost, error, type Found, ok, warning } from "../check.ts";

/** Seconds. Tokens and certificates are judged with little room; from the second on logins are refused. */
const NOTABLE = 5;
const HARMFUL = 60;
const FIX = "timedatectl set-ntp true (or start chrony); then: timedatectl status";

/** The clock decides about leases, windows, tokens and certificates. */
export const clockCheck = check("clock", async (host) => {
  const { status } = host;
  if (status?.clock?.setBack)
    return [
      error(
        "the clock was set back",
        "What had ended could begin to hold again. Until time has caught up, or the agent is sure of it, contractors are refused.",
        `${FIX}. When it is right the control plane confirms it by itself; where that is away: sallyport-agent clock accept`,
      ),
      ...status.clock.skew.map(judge),
    ];
  const skew = status?.clock?.skew ?? (await askedSkew(host));
  return skew.length === 0 ? [] : skew.map(judge);
});

/** Without an agent that knows: the Date header of the control plane. */
async function askedSkew({ pinned, now }: ExaminedHost): Promise<{ peer: string; seconds: number }[]> {
  if (pinned === null) return [];
  const { ahead } = await askHttp(`${pinned.trust.controlPlane}/healthz`, now);
  return ahead === null ? [] : [{ peer: "the control plane", seconds: ahead }];
}

function judge({ peer, seconds }: { peer: string; seconds: number }): Found {
  const what = `the clock of ${peer} is ${aheadText(seconds)}`;
  if (Math.abs(seconds) < NOTABLE) return ok(`the clock agrees with that of ${peer}`);
  if (Math.abs(seconds) < HARMFUL)
    return warning(what, "Sign-ins and leases are judged with little room for that; it may grow.", FIX);
  return error(
    what,
    "Tokens and certificates seem to be not valid yet, or already over, and the lease to have run out: contractors are refused.",
    FIX,
  );
}
