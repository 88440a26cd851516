import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { dirname, extname, join, normalize } from "node:path";
import type { Context } from "@sallyport/client/context.ts";
import { run } from "@sallyport/client/program.ts";
import { anchors, PAGES, prose, ROOT, textOf } from "./markdown.ts";

// Top-level folders whose files are named in code spans; a pattern or a placeholder is no path.
const FILE_SPAN =
  /`((?:agent|bench|client|control-plane|core|demo|docs|scripts|test|uplink)\/[\w./-]*|\.ci\/\w+)`/g;
const LINK = /\]\(([^)\s]+)\)/g;

describe("the documentation", () => {
  for (const page of PAGES) {
    it(`${page} links only to what is there`, () => {
      for (const [, target = ""] of prose(textOf(page)).matchAll(LINK)) {
        if (/^[a-z]+:/.test(target)) continue;
        const [path = "", anchor] = target.split("#");
        const file = path === "" ? page : normalize(join(dirname(page), path));
        assert.ok(existsSync(join(ROOT, file)), `${target} is not there`);
        if (anchor !== undefined && extname(file) === ".md")
          assert.ok(anchors(textOf(file)).includes(anchor), `${target} has no such heading`);
      }
    });

    it(`${page} names only files that are there`, () => {
      for (const [, path = ""] of textOf(page).matchAll(FILE_SPAN)) {
        // Made by a build or a run, and not in the repository.
        if (path === "bench/results/" || path === "agent/shim/sallyport-shim") continue;
        assert.ok(existsSync(join(ROOT, path)), `${path} is not there`);
      }
    });
  }

  it("shows in README.md only commands that `sallyport` has", async () => {
    const commands = new Set(
      [...textOf("README.md").matchAll(/(?<=npx |`|\$ )sallyport ((?:config |engagement )?[a-z]+)/g)].map(
        (match) => String(match[1]),
      ),
    );
    assert.ok(commands.size > 6);
    for (const command of commands) {
      const { status, stdout } = await help(command.split(" "));
      assert.equal(status, 0, command);
      assert.ok(stdout.startsWith(`Usage: sallyport ${command}`), `${command}: ${stdout.slice(0, 80)}`);
    }
  });
});

/** What `sallyport COMMAND --help` prints. */
async function help(command: readonly string[]): Promise<{ status: number; stdout: string }> {
  let stdout = "";
  const write = (chunk: string | Uint8Array) => {
    stdout += Buffer.from(chunk).toString("utf8");
    return true;
  };
  const context: Context = {
    home: "/nonexistent/sallyport",
    userHome: "/nonexistent",
    env: {},
    uid: 1000,
    platform: "linux",
    nodePath: "/nonexistent/node",
    mainPath: "/nonexistent/main.ts",
    stdout: { write },
    stderr: { write },
    now: () => 0,
  };
  return { status: await run([...command, "--help"], context), stdout };
}
