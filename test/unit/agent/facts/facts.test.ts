import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { availableParallelism, release } from "node:os";
import { gatherFacts } from "@sallyport/agent/facts/gather-facts.ts";
import { HostFactsKeeper } from "@sallyport/agent/facts/host-facts.ts";
import type { HostFacts } from "@sallyport/core/messages/host-facts.ts";
import { HostMessage, parseLinkMessage } from "@sallyport/core/messages/host-link.ts";

describe("facts about the host", () => {
  const printing = (value: unknown): [string, string[]] => [
    process.execPath,
    ["-e", `process.stdout.write(${JSON.stringify(JSON.stringify(value))})`],
  ];
  const facts: HostFacts = {
    os: "Debian GNU/Linux 12",
    kernel: "6.1.0",
    architecture: "x64",
    agentVersion: "0.1.0",
    sshdVersion: "OpenSSH_9.2p1",
    cpus: 2,
    cpuModel: "AMD EPYC",
    memoryBytes: 4096,
    bootedAt: 1_800_000_000,
    virtualisation: "KVM",
    addresses: ["192.0.2.7"],
  };

  it("are those of this machine", async () => {
    const now = Date.now() / 1000;
    const gathered = await gatherFacts("0.1.0", "/usr/sbin/sshd", now);
    assert.match(gathered.os, /^\S+.* \d+/);
    assert.equal(gathered.kernel, release());
    assert.match(gathered.sshdVersion, /^OpenSSH_\d/);
    assert.ok(gathered.cpus >= availableParallelism() - 1);
    const uptime = Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]);
    assert.ok(Math.abs(gathered.bootedAt - (now - uptime)) < 5);
    assert.ok(gathered.memoryBytes > 100_000_000);
  });

  it("come without sshd's version where there is no sshd", async () => {
    assert.equal((await gatherFacts("0.1.0", "/nonexistent/sshd", 1_800_000_000)).sshdVersion, "");
  });

  it("are gathered by a process of its own, and kept when the next one fails", async () => {
    const troubles: string[] = [];
    const command = printing(facts);
    const keeper = new HostFactsKeeper(command, (message) => troubles.push(message));
    assert.equal(keeper.current, undefined);
    await keeper.gather();
    assert.deepEqual(keeper.current, facts);
    for (const bad of [
      printing({ ...facts, os: "x\u001b[2J" }),
      printing("no facts"),
      ["/nonexistent", []],
    ]) {
      command.splice(0, 2, ...(bad as [string, string[]]));
      await keeper.gather();
      assert.deepEqual(keeper.current, facts);
    }
    assert.equal(troubles.length, 3);
    for (const trouble of troubles) assert.match(trouble, /^facts about this host cannot be gathered: /);
  });

  it("go with a heartbeat, or not, and never beyond their bounds", () => {
    const beat = { type: "heartbeat", liveSessions: [], spoolBytes: 0, clock: 1 };
    const parse = (message: unknown) => parseLinkMessage(HostMessage, JSON.stringify(message));
    assert.deepEqual(parse(beat), beat);
    assert.deepEqual(parse({ ...beat, facts }), { ...beat, facts });
    for (const change of [
      { os: "x".repeat(201) },
      { kernel: "a\nb" },
      { cpus: -1 },
      { addresses: new Array(65).fill("192.0.2.7") },
      { addresses: ["x".repeat(65)] },
      { more: 1 },
    ])
      assert.throws(() => parse({ ...beat, facts: { ...facts, ...change } }), { code: "message-malformed" });
  });
});
