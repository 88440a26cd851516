import type { Outbox } from "@sallyport/uplink/events/outbox.ts";
import type { Logger } from "winston";
import type { AgentConfig } from "../configuration/agent-config.ts";
import type { Paths } from "../configuration/paths.ts";
import { troubleEvent } from "../events.ts";
import type { LiveSession } from "../recorders/control-messages.ts";
import type { RecorderPool } from "../recorders/recorder-pool.ts";
import { SpoolAccount } from "./spool-account.ts";
import { SpoolAge } from "./spool-age.ts";
import { SpoolSpace, spoolLimits } from "./spool-space.ts";
import { SpoolWatch } from "./spool-watch.ts";

export interface SpoolSettings {
  config: AgentConfig;
  paths: Paths;
  outbox: Outbox;
  pool: RecorderPool;
  liveSessions(): readonly LiveSession[];
  log: Logger;
}

/** Puts the watch over the spool together: its limits from the configuration, its findings to log and events. */
export function openSpool(settings: SpoolSettings): { watch: SpoolWatch; space: SpoolSpace } {
  const { config, paths, outbox, log } = settings;
  const account = new SpoolAccount(paths.spool, paths.rejected);
  const space = new SpoolSpace(paths.spool, spoolLimits(config), account);
  const trouble = (code: string, sentence: string, detail: string, session: string | null = null): void => {
    log.error(sentence, { code, detail, ...(session === null ? {} : { recording: session }) });
    outbox.add(troubleEvent("trouble", session, code, `${sentence}: ${detail}`));
  };
  const age = new SpoolAge({
    ...{ spool: paths.spool, rejected: paths.rejected, kept: paths.kept },
    ...{ spoolAge: config.spoolAge, localRetention: config.localRetention },
    now: () => Date.now(),
    onOverdue: (count, oldest) =>
      trouble(
        "spool-overdue",
        "recordings wait for upload for too long",
        `${count} for more than ${config.spoolAge} days, the oldest is ${oldest}`,
      ),
    onExpired: (name) =>
      trouble(
        "rejected-removed",
        "a recording that was set aside is removed",
        `${name}, set aside ${config.spoolAge} days ago`,
        name.slice(0, 64),
      ),
  });
  const watch = new SpoolWatch({
    ...{ account, space, age },
    live: () => settings.liveSessions().map((live) => live.session),
    onShortage: (shortage) => {
      if (shortage !== null) trouble("spool-full", "no logins are admitted: there is no room", shortage);
      else log.info("there is room again, logins are admitted");
    },
    onOverdrawn: (recording) => endForRoom(settings, recording, trouble),
    onTrouble: (error) => log.error("the spool cannot be looked at", { error: String(error) }),
  });
  return { watch, space };
}

/** Ends a session, as cleanly as any, because the spool may take no more. */
function endForRoom(
  { pool, liveSessions }: SpoolSettings,
  recording: string,
  trouble: (code: string, sentence: string, detail: string, session: string) => void,
): void {
  const live = liveSessions().find((one) => one.session === recording);
  if (live === undefined) return;
  const { session } = live;
  const text =
    "\nsallyport: this host has no room left to record sessions, so this one ends. Tell the host's administrators.\n";
  const detail = "spoolLimit and diskReserve are used up";
  pool.tell(session, { type: "end", session, reason: "spool-failed", detail, text });
  trouble("spool-overdrawn", "a session was ended because recordings take too much", detail, session);
}
