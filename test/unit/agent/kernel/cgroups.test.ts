import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { Cgroups, findCgroupMount } from "../../../../agent/src/kernel/cgroups.ts";

describe("control groups", () => {
  it("are found where version 2 is mounted, alone or beside version 1", () => {
    const unified = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate";
    const hybrid = [
      "31 23 0:29 / /sys/fs/cgroup rw - tmpfs tmpfs rw",
      "32 31 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu",
      "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw",
    ].join("\n");
    assert.deepEqual(findCgroupMount(unified), { directory: "/sys/fs/cgroup", root: "/" });
    assert.deepEqual(findCgroupMount(hybrid), { directory: "/sys/fs/cgroup/unified", root: "/" });
    assert.equal(findCgroupMount("31 23 0:29 / /sys/fs/cgroup rw - tmpfs tmpfs rw"), null);
  });

  it("say nothing on a host without", async () => {
    const none = new Cgroups(null);
    assert.deepEqual(
      [none.available, none.of(process.pid), none.members("/x"), none.below("/x"), none.remove("/x")],
      [false, null, [], [], true],
    );
    assert.equal(await none.move(process.pid, "/x"), false);
    none.kill("/x");
  });

  it("hold a process and what it starts, and end it all", async () => {
    const cgroups = new Cgroups();
    const group = `/sallyport-test-${process.pid}/one`;
    const shell = spawn("sh", ["-c", "read go; setsid sleep 3000 & echo $!; wait"], {
      stdio: ["pipe", "pipe", "ignore"],
    });
    assert.ok(await cgroups.move(shell.pid ?? 0, group));
    shell.stdin.write("go\n");
    const [said] = await once(shell.stdout, "data");
    const sleeper = Number(String(said));
    assert.deepEqual(cgroups.members(group).sort(), [shell.pid, sleeper].sort());
    assert.equal(cgroups.of(sleeper), group);
    assert.equal(cgroups.remove(group), false);
    const ended = once(shell, "close");
    cgroups.kill(group);
    await ended;
    assert.deepEqual(cgroups.members(group), []);
    assert.deepEqual(cgroups.below(`/sallyport-test-${process.pid}`), ["one"]);
    assert.ok(cgroups.remove(group));
    assert.ok(cgroups.remove(`/sallyport-test-${process.pid}`));
    assert.ok(cgroups.remove(group), "gone is gone");
    assert.equal(cgroups.of(2 ** 22), null);
  });
});
