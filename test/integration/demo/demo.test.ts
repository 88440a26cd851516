import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../../demo/light-host/until.ts";
import { requirePorts } from "../../../demo/ports.ts";

const MAIN = join(import.meta.dirname, "../../../demo/main.ts");

describe("npm start", () => {
  let directory: string;
  let port: number;
  let demo: ChildProcess | undefined;
  let output: string;

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), "demo-"));
    port = await threeFreePorts();
  });
  afterEach(async () => {
    demo?.kill("SIGKILL");
    await until(() => processesNaming(directory).length === 0, 5000);
    rmSync(directory, { recursive: true });
  });

  /** Starts the demo; resolves when it says `text`, or ends. */
  async function start(text: string): Promise<void> {
    const child = spawn(process.execPath, [MAIN, "--dir", directory, "--port", String(port)], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    demo = child;
    output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (chunk: string) => {
        output += chunk;
      });
    }
    assert.ok(await until(() => output.includes(text) || child.exitCode !== null, 50_000), output);
  }

  async function ended(): Promise<number | null> {
    assert.ok(demo);
    if (demo.exitCode === null) await once(demo, "close");
    return demo.exitCode;
  }

  async function nothingIsLeft(): Promise<void> {
    assert.deepEqual(processesNaming(directory), []);
    await requirePorts("127.0.0.1", [port, port + 1, port + 2]);
    assert.doesNotMatch(readFileSync("/proc/self/mountinfo", "utf8"), new RegExp(directory));
  }

  it("gets ready, writes demo.json, prints the guide, and leaves nothing behind on SIGTERM", async () => {
    await start("Ctrl-C ends the demo");
    assert.match(output, /npx sallyport login --server/);
    const written = JSON.parse(readFileSync(join(directory, "demo.json"), "utf8"));
    assert.equal(written.console, `http://127.0.0.1:${port}`);
    assert.deepEqual(written.hosts, [{ name: "web-1", address: "127.0.0.1", port: port + 2 }]);
    assert.equal(statSync(directory).mode & 0o077, 0);
    const discovery = await fetch(`${written.issuer}/.well-known/openid-configuration`);
    assert.equal(((await discovery.json()) as { issuer: string }).issuer, written.issuer);

    demo?.kill("SIGTERM");
    assert.equal(await ended(), 0, output);
    await nothingIsLeft();
  });

  it("leaves nothing behind when it is interrupted while it starts", async () => {
    await start("control plane at");
    demo?.kill("SIGINT");
    assert.equal(await ended(), 0, output);
    await nothingIsLeft();
  });

  it("ends with status 1, and says why, when a part dies", async () => {
    await start("Ctrl-C ends the demo");
    const controlPlane = processesNaming("control-plane.yaml").find((pid) =>
      commandLine(pid).includes(directory),
    );
    process.kill(controlPlane ?? 0, "SIGKILL");
    assert.equal(await ended(), 1);
    assert.match(output, /The control plane ended \(SIGKILL\)/);
    await nothingIsLeft();
  });

  it("names the port that is taken", async () => {
    const holder = createServer().listen(port + 2, "127.0.0.1");
    await once(holder, "listening");
    await start("is taken");
    holder.close();
    assert.equal(await ended(), 1);
    assert.match(output, new RegExp(`Port ${port + 2} is taken by \\S+ \\(pid ${process.pid}`));
  });
});

async function threeFreePorts(): Promise<number> {
  for (;;) {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    server.close();
    await once(server, "close");
    const free =
      port < 65_000 &&
      (await requirePorts("127.0.0.1", [port, port + 1, port + 2]).then(
        () => true,
        () => false,
      ));
    if (free) return port;
  }
}

function processesNaming(text: string): number[] {
  const pids = readdirSync("/proc").map(Number);
  return pids.filter(
    (pid) => Number.isInteger(pid) && pid !== process.pid && commandLine(pid).includes(text),
  );
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}
