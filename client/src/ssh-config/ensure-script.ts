import type { StatePaths } from "../state/paths.ts";
import { shellWord } from "./config-value.ts";

/**
 * The script that ssh calls before every login, with the host's name. It answers by itself, in a few milliseconds, while
 * the key at hand is there and certified for a moment longer; Node alone takes ten times as long to start. Else, and
 * whenever in doubt, it leaves the matter to `sallyport ensure`.
 */
export function ensureScriptText(paths: StatePaths, nodePath: string, mainPath: string): string {
  const environment = `SALLYPORT_HOME=${shellWord(paths.home)} NODE_COMPILE_CACHE=${shellWord(paths.cache)}`;
  return `# Written by sallyport, and called by ssh (see ssh_config): is there a valid certificate? If not, sign in.
if read -r until 2>/dev/null <${shellWord(paths.validUntil)} && [ "$(date +%s)" -lt "$until" ] 2>/dev/null; then
  # The key is in memory, or in the ssh-agent.
  [ -r ${shellWord(paths.identity)} ] && exit 0
  ssh-add -T ${shellWord(paths.publicKey)} >/dev/null 2>&1 && exit 0
fi
${environment} exec ${shellWord(nodePath)} ${shellWord(mainPath)} ensure --host "$1"
`;
}
