import { existsSync, readFileSync } from "node:fs";
import { keyFiles, type SshdSetting, sshdSettings } from "../../enrolment/sshd-drop-in.ts";
import { check, type ExaminedHost, error, type Found, ok, warning } from "../check.ts";
import { type EffectiveSettings, effectiveSettings } from "../effective-settings.ts";
import { groupMembers, isPlainName } from "../group-members.ts";
import { differences } from "../setting-differences.ts";
import { acceptedEnvironment, otherSettings } from "../sshd-surroundings.ts";

/** Two sources, for an operator's Match may go by address. The second is from RFC 5737 and nobody's. */
const ADDRESSES = ["127.0.0.1", "192.0.2.1"];
const ADMINISTRATOR = "root";
/** Of this many accounts sshd is asked; the settings are those of the group, so more would say the same. */
const MAX_ASKED = 20;
/** What would put somebody under Sallyport who is not in its group. */
const OURS_ALONE = ["forcecommand", "trustedusercakeys", "authorizedprincipalscommand"];

/** What sshd really does with contractors, and that it does none of it with administrators: asked of sshd itself. */
export const sshdCheck = check("sshd", async (host) => {
  const { config } = host;
  const members = groupMembers(config.group);
  if (members === null)
    return [
      error(
        `there is no group ${config.group}`,
        "sshd knows contractors' accounts by it: without it none of Sallyport's settings applies to anybody.",
        `groupadd --system ${config.group}`,
      ),
    ];
  const asked = members.map(({ name }) => name).filter((name) => isPlainName(name) && name !== ADMINISTRATOR);
  try {
    const found = [];
    for (const account of asked.slice(0, MAX_ASKED)) found.push(...(await contractor(host, account)));
    if (asked.length === 0) found.push(nobody(config.group, config.shim));
    return [
      ...found,
      ...(await administrator(
        host,
        members.some(({ name }) => name === ADMINISTRATOR),
      )),
    ];
  } catch (cause) {
    return [refused(config.sshd, cause)];
  }
});

async function contractor({ config }: ExaminedHost, account: string): Promise<Found[]> {
  const wanted = sshdSettings(keyFiles(config), config);
  const found = new Map<string, Found>();
  for (const address of ADDRESSES) {
    const effective = await effectiveSettings(config.sshd, account, address);
    const wrong = [
      ...wrongSettings(wanted, effective, account, config.sshdDropIn),
      ...acceptedEnvironment(effective, account),
      ...otherSettings(effective, account, userCaTypes(keyFiles(config).userCaKeys)),
    ];
    for (const one of wrong) found.set(one.what, one);
  }
  if (found.size > 0) return [...found.values()];
  return [ok(`all ${wanted.length} settings are in force for ${account}`)];
}

function wrongSettings(
  wanted: readonly SshdSetting[],
  effective: EffectiveSettings,
  account: string,
  dropIn: string,
): Found[] {
  const wrong = differences(wanted, effective);
  // Not one line of another file, but ours not read at all.
  if (
    wrong.length > 0 &&
    wrong.some(({ keyword }) => keyword === "ForceCommand") &&
    wrong.length > wanted.length / 3
  )
    return [
      error(
        `sshd does not apply Sallyport's settings to ${account}`,
        "This account's logins are neither decided nor recorded by Sallyport; whoever has a key or password of it gets in.",
        existsSync(dropIn)
          ? `See what is said of sshd's files below; then: sshd -t && systemctl reload ssh`
          : "sallyport-agent leave --force && sallyport-agent enroll --token-file FILE",
      ),
    ];
  return wrong.map(({ keyword, expected, actual }) =>
    keyword === "RevokedKeys" && !/^\s*RevokedKeys\s/m.test(readFileSync(dropIn, "utf8"))
      ? olderDropIn(expected, dropIn)
      : error(
          `${keyword} is "${actual}" for ${account}, and should be "${expected}"`,
          "A line that sshd reads before Sallyport's has won. What Sallyport promises of logins to this account does not hold.",
          `Remove the line that this finds: grep -rniE '^[[:space:]]*${keyword}' /etc/ssh/sshd_config /etc/ssh/sshd_config.d; then: sshd -t && systemctl reload ssh`,
        ),
  );
}

/** It was enrolled by a version that did not tell sshd. */
function olderDropIn(file: string, dropIn: string): Found {
  return warning(
    "sshd does not look up revoked keys and certificates itself: the drop-in is of an older version",
    "The agent refuses them all the same; with the setting they open nothing whatever becomes of the agent.",
    // The file must be there before the setting: sshd takes nobody's key while it cannot read it.
    `test -s ${file} && sed -i '/^ *TrustedUserCAKeys /a\\    RevokedKeys ${file}' ${dropIn} && sshd -t && systemctl reload ssh`,
  );
}

async function administrator({ config }: ExaminedHost, inGroup: boolean): Promise<Found[]> {
  if (inGroup)
    return [
      error(
        `${ADMINISTRATOR} is in group ${config.group}`,
        "Administrators' own logins are then refused: without the agent nobody could get in and mend it.",
        `gpasswd --delete ${ADMINISTRATOR} ${config.group}`,
      ),
    ];
  const ours = new Map(
    sshdSettings(keyFiles(config), config).map(([key, value]) => [key.toLowerCase(), value]),
  );
  for (const address of ADDRESSES) {
    const effective = await effectiveSettings(config.sshd, ADMINISTRATOR, address);
    const taken = OURS_ALONE.filter((keyword) => effective.get(keyword)?.[0] === ours.get(keyword));
    if (taken.length > 0)
      return [
        error(
          `Sallyport's ${taken.join(", ")} applies to ${ADMINISTRATOR} too, who is not in group ${config.group}`,
          "Only contractors may depend on Sallyport; administrators would be locked out with the agent stopped.",
          `Remove these lines from every file but ${config.sshdDropIn}: grep -rniE '^[[:space:]]*(${taken.join("|")})' /etc/ssh; then: sshd -t && systemctl reload ssh`,
        ),
      ];
  }
  return [ok(`none of them applies to ${ADMINISTRATOR}`)];
}

function nobody(group: string, shim: string): Found {
  return warning(
    `no account is in group ${group}`,
    "There is no account that a contractor could log in to.",
    `useradd --create-home --groups ${group} --shell ${shim} NAME`,
  );
}

function refused(sshd: string, cause: unknown): Found {
  return error(
    `sshd refuses its configuration: ${cause instanceof Error ? cause.message : String(cause)}`,
    "sshd will not come back after its next restart, for nobody.",
    `Mend what it names, until this says nothing: ${sshd} -t`,
  );
}

function userCaTypes(path: string): string[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, "utf8").split("\n");
  return lines.flatMap((line) => /^(\S+) /.exec(line)?.[1] ?? []);
}
