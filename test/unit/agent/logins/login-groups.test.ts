import assert from "node:assert/strict";
import { Cgroups } from "@sallyport/agent/kernel/cgroups.ts";
import { type ProcessIdentity, processStat } from "@sallyport/agent/kernel/processes.ts";
import { LoginGroups } from "@sallyport/agent/logins/login-groups.ts";

/** Groups as a test says; what is moved is noted. */
class SaidGroups extends Cgroups {
  readonly said = new Map<number, string>();

  override get available(): boolean {
    return true;
  }

  override of(pid: number): string | null {
    return this.said.get(pid) ?? null;
  }

  override async move(pid: number, group: string): Promise<boolean> {
    this.said.set(pid, group);
    return true;
  }
}

describe("the control group of a login, where logind gives each connection a scope", () => {
  const LISTENER = process.ppid;
  const SCOPE = "/user.slice/user-1001.slice/session-7.scope";
  const ADMINISTRATORS = "/user.slice/user-0.slice/session-3.scope";
  let cgroups: SaidGroups;
  let groups: LoginGroups;
  let monitor: ProcessIdentity;
  beforeEach(() => {
    cgroups = new SaidGroups(null);
    groups = new LoginGroups(cgroups, "hst_1", () => true);
    // This program stands for sshd's monitor, and what started it for the listener.
    monitor = processStat(process.pid) ?? { pid: 0, startTime: 0 };
  });

  it("is that scope, and nothing is moved before", async () => {
    cgroups.said.set(LISTENER, "/system.slice/ssh.service");
    cgroups.said.set(monitor.pid, "/system.slice/ssh.service");
    await groups.prepare(monitor);
    assert.equal(groups.of(monitor), null, "that is all connections'");
    cgroups.said.set(monitor.pid, SCOPE);
    assert.equal(groups.of(monitor), SCOPE);
    assert.equal(await groups.settle(monitor, [monitor.pid]), SCOPE);
  });

  it("is never the scope of an administrator who started sshd by hand", async () => {
    cgroups.said.set(LISTENER, ADMINISTRATORS);
    cgroups.said.set(monitor.pid, ADMINISTRATORS);
    assert.equal(groups.of(monitor), null);
    assert.equal(await groups.settle(monitor, [monitor.pid]), groups.own(monitor));
    cgroups.said.set(monitor.pid, ADMINISTRATORS);
    await groups.prepare(monitor);
    await new Promise(setImmediate);
    assert.equal(groups.of(monitor), groups.own(monitor));
    assert.equal(cgroups.of(LISTENER), ADMINISTRATORS);
  });
});
