import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { until } from "../../../demo/light-host/until.ts";
import { run } from "../../fixtures/processes.ts";
import { castEvents, sessionsOf, sessionWhere } from "../../fixtures/sessions.ts";
import { TerminalClient } from "../../fixtures/terminal.ts";
import { type Person, startWorld, type World } from "../../fixtures/world.ts";

describe("a recording", () => {
  let world: World;
  let alice: Person;
  let audrey: Person;

  before(async () => {
    world = await startWorld({ engagements: [{ name: "web", members: ["alice"] }] });
    alice = await world.signedIn("alice");
    audrey = await world.signedIn("audrey");
  });
  after(() => world.close());

  it("is at the control plane while its session is still open", async () => {
    const terminal = new TerminalClient(alice.ssh("-q", "web-1"), { env: alice.env });
    await terminal.shows(/\$ $/);
    terminal.type("echo seen while it runs\r");
    await terminal.shows(/\rseen while it runs\r\n/);
    const live = await sessionWhere(audrey, (one) => one.state === "live");
    const shown = await until(async () => {
      const raw = await audrey.sallyport(["export", live.id, "--format", "raw"]);
      return raw.stdout.includes("seen while it runs\r\n");
    }, 5_000);
    assert.ok(shown, "the blocks are there before the session ends");
    terminal.type("exit\r");
    await terminal.exited;
  });

  it("plays and exports, 2 s after its end, exactly the bytes that the terminal got", async () => {
    const terminal = new TerminalClient(alice.ssh("-q", "web-1"), { env: alice.env });
    await terminal.shows(/\$ $/);
    terminal.type(
      "printf '\\033[1;35mcolours\\033[0m wide \\342\\202\\254 \\360\\237\\232\\252\\n'; seq 5000; exit 3\r",
    );
    assert.equal(await terminal.exited, 3);
    const ended = Date.now();
    const { id } = await sessionWhere(audrey, (one) => one.exitStatus === 3, 2_000);
    assert.ok(Date.now() - ended < 2_000);

    const raw = await audrey.sallyport(["export", id, "--format", "raw"]);
    assert.ok(raw.stdout.equals(terminal.bytes), "raw export");
    const played = await audrey.sallyport(["play", id]);
    assert.ok(played.stdout.equals(terminal.bytes), "play");

    for (const format of ["asciicast-v2", "asciicast-v3"]) {
      const cast = await audrey.sallyport(["export", id, "--format", format]);
      const [header, ...events] = cast.stdout
        .toString()
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as unknown);
      assert.equal((header as { version: number }).version, format === "asciicast-v2" ? 2 : 3);
      const shown = (events as [number, string, string][])
        .filter(([, code]) => code === "o")
        .map(([, , data]) => data);
      assert.equal(shown.join(""), terminal.text, format);
    }
    const text = await audrey.sallyport(["export", id, "--format", "text"]);
    assert.ok(text.stdout.includes("colours wide € 🚪\n1\n2\n"));
    assert.ok(!text.stdout.includes("\x1b"));
  });

  it("is read by Debian's asciinema", async () => {
    const terminal = new TerminalClient(
      alice.ssh("-q", "-tt", "web-1", "printf 'for \\033[32masciinema\\033[0m\\n'; exit 4"),
      { env: alice.env },
    );
    await terminal.exited;
    const { id } = await sessionWhere(audrey, (one) => one.exitStatus === 4);
    const file = join(world.directory, "session.cast");
    const cast = await audrey.sallyport(["export", id, "--format", "asciicast-v2"]);
    writeFileSync(file, cast.stdout);
    // It asks for a terminal; one that adds nothing to what is printed.
    const viewer = ["sh", "-c", 'stty -opost; exec /usr/bin/asciinema cat "$1"', "sh", file];
    const shown = new TerminalClient(viewer, { env: { ...alice.env, LC_ALL: "C.UTF-8" } });
    assert.equal(await shown.exited, 0, shown.text);
    assert.equal(shown.text, terminal.text);
  });

  it("of a command holds standard output, standard error and input", async () => {
    await run(alice.ssh("web-1", "cat; echo to stderr >&2; exit 6"), { env: alice.env, input: "fed in\n" });
    const { id } = await sessionWhere(audrey, (one) => one.exitStatus === 6);
    const events = await castEvents(audrey, id);
    assert.deepEqual(events.map(([, code, data]) => `${code} ${data}`).sort(), [
      "i fed in\n",
      "o fed in\n",
      "o to stderr\n",
    ]);
  });

  it("verifies whole, and names the block when one byte is changed", async () => {
    const { id } = await sessionWhere(audrey, (one) => one.exitStatus === 3);
    const good = await audrey.sallyport(["verify", id, "--json"]);
    assert.equal(good.status, 0, good.stderr);
    const bad = await world.tamper(id);
    const verdict = await audrey.sallyport(["verify", id]);
    assert.equal(verdict.status, 7);
    assert.match(verdict.stderr, new RegExp(`[Bb]lock ${bad}`));
  });

  it("is seen by its own contractor and the security team, by no other contractor", async () => {
    const bob = world.person("bob");
    assert.equal((await bob.signIn()).status, 0);
    assert.deepEqual(await sessionsOf(bob), []);
    const [session] = await sessionsOf(alice);
    assert.ok(session);
    assert.equal((await bob.sallyport(["export", session.id, "--format", "raw"])).status, 1);
    assert.equal((await alice.sallyport(["export", session.id, "--format", "raw"])).status, 0);
  });
});
