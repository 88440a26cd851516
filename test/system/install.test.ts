import assert from "node:assert/strict";
import { run } from "../fixtures/processes.ts";
import { castEvents, sessionWhere } from "../fixtures/sessions.ts";
import type { WholeHost } from "../fixtures/whole-host.ts";
import { startWorld, type World } from "../fixtures/world.ts";
import { packagedHost } from "./support/packaged-host.ts";

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

    it("has doctor find nothing wrong", async () => {
      const { status, stdout } = await world.host.run(["sallyport-agent", "doctor"]);
      assert.equal(status, 0, stdout);
    });
  });
}
