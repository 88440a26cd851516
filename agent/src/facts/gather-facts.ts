import { spawnSync } from "node:child_process";
import { HostFacts } from "@sallyport/core/messages/host-facts.ts";
import { printable } from "@sallyport/core/terminal-text.ts";
import information from "systeminformation";

const MAX_ADDRESSES = 64;

/**
 * Gathers facts about this host. Takes a tenth of a second and starts a dozen programs: only ever called in a process
 * of its own (`sallyport-agent facts`), never in the agent. `now` in seconds since the epoch.
 */
export async function gatherFacts(agentVersion: string, sshd: string, now: number): Promise<HostFacts> {
  const [os, system, cpu, memory, interfaces] = await Promise.all([
    information.osInfo(),
    information.system(),
    information.cpu(),
    information.mem(),
    information.networkInterfaces(),
  ]);
  const addresses = [interfaces].flat().flatMap(({ internal, ip4, ip6 }) => (internal ? [] : [ip4, ip6]));
  return HostFacts.parse({
    os: text(`${os.distro} ${os.release}`),
    kernel: text(os.kernel),
    architecture: text(os.arch),
    agentVersion: text(agentVersion),
    sshdVersion: text(sshdVersion(sshd)),
    cpus: cpu.cores,
    cpuModel: text(`${cpu.manufacturer} ${cpu.brand}`),
    memoryBytes: memory.total,
    bootedAt: Math.max(0, Math.round(now - information.time().uptime)),
    virtualisation: system.virtual ? text(system.virtualHost || system.model || "virtual") : "",
    addresses: addresses.filter((address) => address !== "" && address.length <= 64).slice(0, MAX_ADDRESSES),
  });
}

/** sshd says its version on standard error, and newer ones with status 0. */
function sshdVersion(sshd: string): string {
  const { stdout, stderr } = spawnSync(sshd, ["-V"], { encoding: "utf8", timeout: 5_000 });
  return /OpenSSH_[^\n,]+/.exec(`${stderr}${stdout}`)?.[0] ?? "";
}

function text(value: string): string {
  return printable(value.trim(), 180);
}
