import { sendDatagram } from "../kernel/unix-datagram.ts";

/** What tells the service manager of us. */
export interface ServiceManager {
  /** Says something, as `READY=1` or `STATUS=…`; lines as sd_notify(3) has them. Without a manager nothing happens. */
  tell(state: string): void;
  /** How often it wants to hear `WATCHDOG=1`, in milliseconds; null: it does not ask. */
  watchdogMs: number | null;
}

/**
 * systemd's notification protocol (sd_notify(3), sd_watchdog_enabled(3)). Takes the variables out of the environment, so that no
 * child speaks for us.
 */
export function serviceManager(env: NodeJS.ProcessEnv, pid: number): ServiceManager {
  const { NOTIFY_SOCKET: socket, WATCHDOG_USEC, WATCHDOG_PID } = env;
  for (const name of ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]) delete env[name];
  if (socket === undefined || !/^[/@]./.test(socket)) return { tell: () => {}, watchdogMs: null };
  const interval = Number(WATCHDOG_USEC);
  const isAsked =
    Number.isFinite(interval) && interval > 0 && (!WATCHDOG_PID || Number(WATCHDOG_PID) === pid);
  return {
    tell: (state) => sendDatagram(socket, state),
    watchdogMs: isAsked ? Math.max(1, Math.floor(interval / 1000)) : null,
  };
}
