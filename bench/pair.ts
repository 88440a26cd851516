import { mkdirSync } from "node:fs";
import { constants, setPriority } from "node:os";
import { join } from "node:path";
import { freePort, type Person, startWorld, type World } from "../test/fixtures/world.ts";
import { PLAIN_ACCOUNT, startPlainSshd } from "./plain-sshd.ts";
import { residents, untilQuiet } from "./processes.ts";
import type { Samples } from "./statistics.ts";

const HOST = "web-1";
const ACCOUNT = "deploy";
/** Of an engagement that lets files be moved, and nothing else. */
const FILES_ACCOUNT = "transfer";

/** One way into the host. */
export interface Side {
  name: keyof Samples;
  /** The argv of an ssh to it. Both sides have the same options but for account, port, key and certificate. */
  ssh(options: readonly string[], command: string): string[];
  /** The argv of an sftp to it that reads its commands from standard input. */
  sftp(): string[];
  /** The argv of a legacy scp that puts a file there, and of an rsync that does. */
  legacyScp(local: string, remote: string): string[];
  rsync(local: string, remote: string): string[];
  account: string;
}

/** A host that is reached both ways. */
export interface Pair {
  world: World;
  person: Person;
  plain: Side;
  sallyport: Side;
  /** Sallyport where only files may be moved. */
  files: Side;
  /** The environment of every ssh: no agent, no configuration of the caller. */
  env: NodeJS.ProcessEnv;
  /** Resolves when Sallyport has nothing left to do of what went before, such as uploads. */
  quiet(): Promise<void>;
  close(): Promise<void>;
}

/** Starts a whole Sallyport, signs a contractor in, and puts a plain sshd next to the wrapped one. */
export async function openPair(): Promise<Pair> {
  const world = await startWorld({
    engagements: [
      { name: "bench", members: ["alice"], accounts: [ACCOUNT] },
      {
        ...{ name: "files", members: ["alice"], accounts: [FILES_ACCOUNT], mode: "files" },
        files: {
          protocols: ["sftp", "legacy-scp", "rsync"],
          directories: [{ path: "~", access: "read-write" }],
        },
      },
    ],
    accounts: [{ name: ACCOUNT }, { name: FILES_ACCOUNT }, { name: PLAIN_ACCOUNT, shell: "/bin/bash" }],
  });
  try {
    await spoolOnDisk(world);
    giveWay(world);
    const person = world.person("alice");
    const signedIn = await person.signIn();
    if (signedIn.status !== 0) throw new Error(`signing in failed: ${signedIn.stderr}`);
    const certificate = join(person.home, "sallyport-cert.pub");
    const plain = await startPlainSshd(
      world.host,
      await freePort(),
      join(world.directory, "plain"),
      certificate,
    );
    const knownHosts = join(person.home, "known_hosts");
    const identity = join(person.home, "id_ed25519");
    const wrapped = { port: world.host.port, identity, certificate, knownHosts };
    return {
      world,
      person,
      plain: side("plain", PLAIN_ACCOUNT, world, { ...plain, knownHosts }),
      sallyport: side("sallyport", ACCOUNT, world, wrapped),
      files: side("sallyport", FILES_ACCOUNT, world, wrapped),
      env: person.env,
      quiet: () => untilQuiet(world),
      close: () => world.close(),
    };
  } catch (error) {
    await world.close();
    throw error;
  }
}

/** The control plane is on another machine than its hosts; here it takes what time they leave. */
function giveWay(world: World): void {
  for (const { role, pid } of residents(world))
    if (role === "control plane") setPriority(pid, constants.priority.PRIORITY_LOW);
}

/** The light host keeps /var in memory, where a sync costs nothing. A server's spool is on a disk: so is this one. */
async function spoolOnDisk(world: World): Promise<void> {
  const directory = join(world.directory, HOST, "spool");
  mkdirSync(directory, { mode: 0o700 });
  const mounted = await world.host.run(["mount", "--bind", directory, "/var/lib/sallyport/spool"]);
  if (mounted.status !== 0) throw new Error(`the spool could not be put on the disk: ${mounted.stderr}`);
}

function side(
  name: Side["name"],
  account: string,
  world: World,
  files: { port: number; identity: string; certificate: string; knownHosts: string },
): Side {
  const settings = {
    // Newer clients send keystrokes at fixed times; that would hide what is measured. Older ones do not know the word.
    IgnoreUnknown: "ObscureKeystrokeTiming",
    ObscureKeystrokeTiming: "no",
    ControlMaster: "no",
    ControlPath: "none",
    IdentitiesOnly: "yes",
    IdentityAgent: "none",
    IdentityFile: files.identity,
    CertificateFile: files.certificate,
    PreferredAuthentications: "publickey",
    UserKnownHostsFile: files.knownHosts,
    GlobalKnownHostsFile: "/dev/null",
    HostKeyAlias: HOST,
    StrictHostKeyChecking: "yes",
    UpdateHostKeys: "no",
    LogLevel: "ERROR",
    User: account,
    Port: String(files.port),
  };
  const direct = Object.entries(settings).flatMap(([keyword, value]) => ["-o", `${keyword}=${value}`]);
  return {
    name,
    account,
    sftp: () => ["sftp", "-q", "-F", "none", ...direct, "-b", "-", world.host.address],
    legacyScp: (local, remote) => [
      ...["scp", "-O", "-q", "-F", "none", ...direct],
      ...[local, `${world.host.address}:${remote}`],
    ],
    rsync: (local, remote) => [
      ...["rsync", "--whole-file", "-e", ["ssh", "-F", "none", ...direct].join(" ")],
      ...[local, `${world.host.address}:${remote}`],
    ],
    ssh: (options, command) => ["ssh", "-F", "none", ...direct, ...options, world.host.address, command],
  };
}
