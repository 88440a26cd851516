import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import type { LightHostOptions } from "../../../demo/light-host.ts";
import { run } from "../../fixtures/processes.ts";
import { type Installation, startWholeHost, type WholeHost } from "../../fixtures/whole-host.ts";
import { fromPackage } from "./packaged-host.ts";
import { packageFile, packages } from "./packages.ts";

const ROLES = join(import.meta.dirname, "../../../packaging/ansible/roles");

/** What a run of the playbook came to. */
export interface Played {
  status: number | null;
  /** Everything that was printed. */
  text: string;
  /** Of the recap. */
  changed: number;
  failed: number;
}

/** The playbook of packaging/ansible/README.md, for one host, over ssh as root. */
export class Playbook {
  readonly #directory: string;
  readonly #host: { name: string; address: string; sshPort: number };

  constructor(host: LightHostOptions) {
    this.#host = host;
    this.#directory = join(host.directory, "ansible");
    mkdirSync(this.#directory, { recursive: true });
    writeFileSync(
      join(this.#directory, "playbook.yml"),
      stringify([{ hosts: "all", gather_facts: false, roles: ["sallyport_agent"] }]),
    );
  }

  get #key(): string {
    return join(this.#directory, "key");
  }

  /** Makes the administrator's key; returns the line for root's authorized_keys. */
  async makeKey(): Promise<string> {
    const made = await run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", this.#key], {});
    if (made.status !== 0) throw new Error(`ssh-keygen: ${made.stderr}`);
    return readFileSync(`${this.#key}.pub`, "utf8");
  }

  /** Runs it with these variables of the role. */
  async play(variables: Readonly<Record<string, unknown>> = {}, ...options: string[]): Promise<Played> {
    const { name, address, sshPort } = this.#host;
    const inventory = join(this.#directory, "inventory.yml");
    const host = {
      ansible_host: address,
      ansible_port: sshPort,
      ansible_user: "root",
      ansible_python_interpreter: "/usr/bin/python3",
      ansible_ssh_private_key_file: this.#key,
      sallyport_agent_package_file: packageFile(packages(), "sallyport-agent"),
      sallyport_agent_accounts: [{ name: "deploy", groups: ["adm"] }],
      ...variables,
    };
    writeFileSync(inventory, stringify({ all: { hosts: { [name]: host } } }), { mode: 0o600 });
    const env = {
      PATH: process.env.PATH,
      HOME: this.#directory,
      LC_ALL: "C.UTF-8",
      ANSIBLE_ROLES_PATH: ROLES,
      ANSIBLE_PIPELINING: "1",
      ANSIBLE_NOCOLOR: "1",
      ANSIBLE_SSH_ARGS: [
        ...["-F none", "-o ControlMaster=auto", "-o ControlPersist=5s"],
        ...["-o StrictHostKeyChecking=accept-new", `-o UserKnownHostsFile=${this.#directory}/known_hosts`],
      ].join(" "),
    };
    const playbook = join(this.#directory, "playbook.yml");
    const { status, stdout, stderr } = await run(
      ["ansible-playbook", "--inventory", inventory, ...options, playbook],
      { env },
    );
    const text = `${stdout}${stderr}`;
    const count = (word: string) => Number(new RegExp(`\\b${word}=(\\d+)`).exec(text)?.[1] ?? Number.NaN);
    return { status, text, changed: count("changed"), failed: count("failed") };
  }
}

/**
 * A Debian server that nobody has touched but to give Ansible its key and Python. `enroll` runs the playbook the first time; `readOnly` are
 * directories of this machine that the server sees.
 */
export function ansibleHost(
  enroll: (playbook: Playbook, joinToken: string) => Promise<void>,
  readOnly: readonly string[],
): (options: LightHostOptions) => Promise<WholeHost> {
  return (options) => {
    const playbook = new Playbook(options);
    const installation: Installation = {
      ...fromPackage("bookworm"),
      packages: ["python3", "python3-apt"],
      readOnly,
      install: async (host) => {
        await host.mustRun(["sh", "-c", "umask 077; mkdir /root/.ssh; cat >/root/.ssh/authorized_keys"], {
          input: await playbook.makeKey(),
        });
      },
      enroll: (_host, joinToken) => enroll(playbook, joinToken),
    };
    return startWholeHost(options, installation);
  };
}
