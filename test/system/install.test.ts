import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { run } from "../fixtures/processes.ts";
import { castEvents, sessionWhere } from "../fixtures/sessions.ts";
import type { WholeHost } from "../fixtures/whole-host.ts";
import { startWorld, type World } from "../fixtures/world.ts";
import { packagedHost } from "./support/packaged-host.ts";

const UNITS = ["sallyport-agent.service", "sallyport-agent.socket", "sallyport-agent-session.socket"];
/** systemd-analyze(1), "exposure level", by ten. */
const EXPOSURE = "30";
const START_US = 1_000_000;
const MEMORY_MB = 200;
const INSTALLED_MB = 130;

for (const suite of ["bookworm", "trixie"] as const) {
  describe(`the agent's package on Debian ${suite === "bookworm" ? 12 : 13}`, () => {
    let world: World<WholeHost>;
    before(async function () {
      this.timeout(300_000); // the first time, Debian's packages are fetched
      world = await startWorld({
        host: packagedHost(suite),
        engagements: [{ name: "web", members: ["alice"] }],
      });
    });
    after(() => world?.close());

    it("lets a contractor in after install and enroll, and the recording is at the control plane", async () => {
      const alice = await world.signedIn("alice");
      const { status, stdout, stderr } = await run(alice.ssh("web-1", "echo installed-$((40+2))"), {
        env: alice.env,
      });
      assert.equal(status, 0, String(stderr));
      assert.equal(String(stdout), "installed-42\n");
      const { id } = await sessionWhere(alice, (one) => one.state === "ended");
      assert.match((await castEvents(alice, id)).map(([, , data]) => data).join(""), /installed-42/);
    });

    it("has units that systemd has nothing against, confined as far as they can be", async () => {
      const { machine } = world.host;
      const verify = ["systemd-analyze", "verify", "--man=no", ...UNITS, "sallyport-recorder@one.service"];
      assert.deepEqual(await machine.run(verify), { status: 0, stdout: "", stderr: "" });
      for (const unit of ["sallyport-agent.service", "sallyport-recorder@.service"]) {
        const argv = ["security", "--offline=true", `--threshold=${EXPOSURE}`, `/lib/systemd/system/${unit}`];
        const { status, stdout } = await machine.run(["systemd-analyze", ...argv]);
        assert.equal(status, 0, stdout);
      }
    });

    it("is ready within 1 s of its start, and takes no more memory and disk than it may", async () => {
      const { machine } = world.host;
      const show = async (property: string) =>
        Number(
          await machine.mustRun(["systemctl", "show", "--value", "--property", property, "sallyport-agent"]),
        );
      const starts: number[] = [];
      // What else this machine does just then is not the agent's: the quickest counts.
      for (let round = 0; round < 3; round++) {
        await machine.mustRun(["systemctl", "restart", "sallyport-agent"]);
        starts.push(
          (await show("ActiveEnterTimestampMonotonic")) - (await show("ExecMainStartTimestampMonotonic")),
        );
      }
      await world.host.agentReady();
      const agent = world.host.agentPid();
      const memory = [...(agent === undefined ? [] : [agent]), ...world.host.recorderPids()].map(
        (pid) =>
          Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1]) / 1024,
      );
      const total = memory.reduce((sum, one) => sum + one, 0);
      const status = await machine.mustRun(["dpkg-query", "--status", "sallyport-agent"]);
      const installed = Number(/^Installed-Size: (\d+)$/m.exec(status)?.[1]) / 1024;
      const figures = `ready after ${starts.join(", ")} µs; ${memory.map(Math.round).join(" + ")} MB; ${Math.round(installed)} MB installed`;
      assert.ok(Math.min(...starts) <= START_US, figures);
      assert.ok(memory.length >= 2 && total <= MEMORY_MB, figures);
      assert.ok(installed > 0 && installed <= INSTALLED_MB, figures);
      process.stderr.write(`      ${figures}\n`);
    });

    it("has doctor find nothing wrong", async () => {
      const { status, stdout } = await world.host.run(["sallyport-agent", "doctor"]);
      assert.equal(status, 0, stdout);
    });
  });
}
