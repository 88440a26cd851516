import assert from "node:assert/strict";
import type { HostFacts } from "@sallyport/core/messages/host-facts.ts";
import { call, signIn } from "./support/client.ts";
import { startTestControlPlane, type TestControlPlane } from "./support/control-plane.ts";
import { connect, enrol, type TestHost } from "./support/host.ts";

const FACTS: HostFacts = {
  os: "Debian GNU/Linux 12",
  kernel: "6.1.0",
  architecture: "x64",
  agentVersion: "0.1.0",
  sshdVersion: "OpenSSH_9.2p1",
  cpus: 2,
  cpuModel: "AMD EPYC",
  memoryBytes: 4096,
  bootedAt: 1_800_000_000,
  virtualisation: "",
  addresses: ["192.0.2.7"],
};

describe("facts about a host", () => {
  let plane: TestControlPlane;
  let host: TestHost;
  before(async () => {
    plane = await startTestControlPlane();
    host = await enrol(plane.url, await plane.joinToken("web-1"));
  });
  after(() => plane.close());

  const listed = async (): Promise<HostFacts | null | undefined> => {
    const { apiToken } = await signIn(plane.url, plane.idp.issuer, "sam");
    const { body } = await call(plane.url, "GET", "/hosts", { token: apiToken });
    return (body as { facts: HostFacts | null }[])[0]?.facts;
  };

  it("are unknown until it tells them; the latest are shown to staff, and a heartbeat without any changes nothing", async () => {
    assert.equal(await listed(), null);
    const link = await connect(plane.url, host);
    const beat = (news: { facts?: HostFacts }) =>
      link.send({ type: "heartbeat", liveSessions: [], spoolBytes: 0, clock: Date.now() / 1000, ...news });
    beat({ facts: FACTS });
    beat({ facts: { ...FACTS, kernel: "6.2.0" } });
    beat({});
    // Messages are dealt with one after the other: an answer to a later one tells that these are through.
    const recording = "ses_00000000000000000000000000";
    link.send({ type: "recording-query", recording: recording as never });
    await Promise.race([link.next("recording-offset"), link.next("recording-rejected")]);
    assert.deepEqual(await listed(), { ...FACTS, kernel: "6.2.0" });
  });
});
