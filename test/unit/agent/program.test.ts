import assert from "node:assert/strict";
import { run } from "@sallyport/agent/program.ts";

/** Runs a command line in this process. */
async function transcript(...args: string[]): Promise<{ status: number; stdout: string; stderr: string }> {
  const result = { status: 0, stdout: "", stderr: "" };
  const output = (name: "stdout" | "stderr") => ({
    columns: 100,
    write: (text: string) => {
      result[name] += text;
    },
  });
  result.status = await run(args, {
    version: "0.1.0",
    stdout: output("stdout"),
    stderr: output("stderr"),
    env: {},
    self: (further) => ["/opt/node", further],
    now: () => 1_800_000_000,
  });
  return result;
}

describe("the command line of the agent", () => {
  it("shows its commands and exit codes, not those that the agent alone starts", async () => {
    const { status, stdout, stderr } = await transcript("--help");
    assert.deepEqual([status, stderr], [0, ""]);
    assert.match(stdout, /^Usage: sallyport-agent \[options\] \[command\]\n/);
    for (const command of ["enroll", "leave", "run", "status", "doctor"])
      assert.match(stdout, new RegExp(`^ {2}${command} `, "m"));
    assert.doesNotMatch(stdout, /recorder|facts/);
    assert.match(stdout, /Exit codes:\n {2}0 {2}done/);
  });

  for (const command of ["enroll", "leave", "run", "status", "doctor"]) {
    it(`has examples for ${command}`, async () => {
      const { status, stdout } = await transcript(command, "--help");
      assert.equal(status, 0);
      assert.match(stdout, new RegExp(`^Examples:\n {2}sallyport-agent ${command}`, "m"));
      assert.match(stdout, /--config <file>/);
    });
  }

  it("says its version", async () => {
    assert.deepEqual(await transcript("--version"), { status: 0, stdout: "0.1.0\n", stderr: "" });
  });

  for (const [args, complaint] of [
    [[], /^Usage: /],
    [["enrol"], /^sallyport-agent: unknown command 'enrol'/],
    [["enroll"], /^sallyport-agent: Say where the join token is: --token-file FILE/],
    [["doctor", "--jsn"], /^sallyport-agent: unknown option '--jsn'/],
    [["recorder"], /^sallyport-agent: required option '--id <id>' not specified/],
  ] as const) {
    it(`ends with 2 for: sallyport-agent ${args.join(" ")}`, async () => {
      const { status, stdout, stderr } = await transcript(...args);
      assert.deepEqual([status, stdout], [2, ""]);
      assert.match(stderr, complaint);
    });
  }

  it("ends with 1 and one sentence when it cannot", async () => {
    const config = ["--config", "/dev/null/agent.yaml"];
    const { status, stderr } = await transcript("enroll", "--token-file", "/nonexistent/token", ...config);
    assert.equal(status, 1);
    assert.match(stderr, /^sallyport-agent: The join token \/nonexistent\/token cannot be read\.\n$/);
  });
});
