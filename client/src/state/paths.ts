import { join } from "node:path";

/** The files under `SALLYPORT_HOME`. None of them is worth more than the sign-in: after a loss, sign in again. */
export interface StatePaths {
  home: string;
  /** The server last used; survives `logout`. */
  server: string;
  /** API token (secret: reads and, for staff, revokes), who is signed in, hosts and engagements. */
  signIn: string;
  /** Where the private key is, until when it is certified. Not secret. */
  key: string;
  /** Seconds since the epoch up to which the key will do, for `ensure.sh`; there while there is a key. */
  validUntil: string;
  /** What ssh calls before a login; see `ssh-config/ensure-script.ts`. */
  ensureScript: string;
  /** A link to the private key file; absent while the agent holds the key. */
  identity: string;
  publicKey: string;
  certificate: string;
  knownHosts: string;
  sshConfig: string;
  lastFailure: string;
  /** Held by a running sign-in; see `one-at-a-time.ts`. */
  turn: string;
  cache: string;
}

/** Where everything is under `home`. */
export function statePaths(home: string): StatePaths {
  return {
    home,
    server: join(home, "server.json"),
    signIn: join(home, "sign-in.json"),
    key: join(home, "key.json"),
    validUntil: join(home, "valid-until"),
    ensureScript: join(home, "ensure.sh"),
    identity: join(home, "id_ed25519"),
    publicKey: join(home, "id_ed25519.pub"),
    certificate: join(home, "sallyport-cert.pub"),
    knownHosts: join(home, "known_hosts"),
    sshConfig: join(home, "ssh_config"),
    lastFailure: join(home, "last-failure.json"),
    turn: join(home, "sign-in.sock"),
    cache: join(home, "cache"),
  };
}
