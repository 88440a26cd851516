/** Descriptor of the first socket that is passed (sd_listen_fds(3)). */
const FIRST = 3;
/** Far more than any unit of ours has. */
const MOST = 16;

/**
 * The sockets that systemd listens on for us, by the name that the unit gives them (`FileDescriptorName=`): connections wait in them while
 * no agent runs. Empty where this process was not started so. Takes the variables out of the environment: they are for
 * one process, and its children are others (sd_listen_fds(3), `unset_environment`).
 */
export function listeningSockets(env: NodeJS.ProcessEnv, pid: number): ReadonlyMap<string, number> {
  const { LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES } = env;
  for (const name of ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"]) delete env[name];
  const count = Number(LISTEN_FDS);
  if (Number(LISTEN_PID) !== pid || !Number.isInteger(count) || count < 1 || count > MOST) return new Map();
  const names = (LISTEN_FDNAMES ?? "").split(":");
  return new Map(Array.from({ length: count }, (_, index) => [names[index] ?? "", FIRST + index]));
}
