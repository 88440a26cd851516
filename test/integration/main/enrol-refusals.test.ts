import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AGENT } from "../../../demo/light-host/agent.ts";
import { type LightHost, startLightHost } from "../../../demo/light-host.ts";
import { freePort } from "../../fixtures/world.ts";
import { startTestControlPlane, type TestControlPlane } from "../control-plane/support/control-plane.ts";

const STATE = "/var/lib/sallyport";
const EXTRA = "/etc/ssh/sshd_config.d/60-broken.conf";
/** Every file and directory that enrolling may touch, with contents and modes. */
const LOOK = `
  find /etc ${STATE} -exec stat -c '%n %a %u:%g %F' {} + 2>&1 | sort
  find /etc ${STATE} -type f -exec sha256sum {} + 2>&1 | sort
`;

describe("enrolling a host where something is wrong", () => {
  let plane: TestControlPlane;
  let host: LightHost;
  let directory: string;
  let token: string;
  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "sallyport-test-"));
    plane = await startTestControlPlane();
    const where = { address: "127.0.0.1", sshPort: await freePort(), directory };
    host = await startLightHost({ name: "web-1", ...where, accounts: [], agent: false });
    token = await plane.joinToken("web-1");
  });
  after(async () => {
    await host?.close();
    await plane?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  const enroll = (input: string) =>
    host.run([...AGENT, "enroll", "--token-file", "-"], { input: `${input}\n` });
  const look = async () => (await host.run(["sh", "-c", LOOK])).stdout.split("\n");
  const asRoot = async (script: string) => {
    const { status, stderr } = await host.run(["sh", "-ec", script]);
    assert.equal(status, 0, stderr);
  };
  /** The join token, said to be another in this. */
  const other = (change: object): string => {
    const [prefix, body = ""] = token.split(".");
    const known = JSON.parse(Buffer.from(body, "base64url").toString("utf8")) as object;
    return `${prefix}.${Buffer.from(JSON.stringify({ ...known, ...change })).toString("base64url")}`;
  };
  const refused = async (input: string, sentence: RegExp) => {
    const before = await look();
    const { status, stderr } = await enroll(input);
    assert.equal(status, 1, stderr);
    assert.match(stderr.trim().split("\n").at(-1) ?? "", sentence);
    assert.doesNotMatch(stderr, /unexpected error| at .*:\d+:\d+/);
    assert.deepEqual(await look(), before);
  };

  it("says what is no join token", () => refused("spj1.x", /This is not a join token\. .*make a new one/));

  it("says that the token is not one of the control plane's", () =>
    refused(
      other({ secret: Buffer.alloc(32, 7).toString("base64url") }),
      /^sallyport-agent: .*join token.*\.$/i,
    ));

  it("says that the control plane cannot be reached", async () => {
    const server = `http://127.0.0.1:${await freePort()}`;
    await refused(other({ server }), new RegExp(`${server} cannot be reached\\. Check the network`));
  });

  it("says that something else answers", async () => {
    const page = createServer((_request, response) => void response.end("<html>Sign in to the Wi-Fi</html>"));
    await new Promise<void>((resolve) => page.listen(0, "127.0.0.1", resolve));
    const server = `http://127.0.0.1:${(page.address() as AddressInfo).port}`;
    await refused(other({ server }), new RegExp(`${server} does not answer as a control plane does`));
    page.close();
  });

  it("says that sshd's configuration is broken as it is", async () => {
    await asRoot(`echo 'Nonsense yes' > ${EXTRA}`);
    await refused(token, /sshd refuses its configuration, so nothing was changed: .*/);
    await asRoot(`rm ${EXTRA}`);
  });

  it("says that the disk is full", async () => {
    await asRoot(
      `mkdir -m 0700 ${STATE}; mount -t tmpfs -o size=64k,mode=0700 full ${STATE}; cat /dev/zero > ${STATE}/filler || true`,
    );
    await refused(token, /There is no room on the disk, so nothing was changed\. Make room/);
    await asRoot(`umount ${STATE}; rmdir ${STATE}`);
  });

  it("says that the trust cannot be written, and takes back what it had done to sshd", async () => {
    const spent = await plane.joinToken("web-2");
    await asRoot("mkdir -p /etc/sallyport/trust.yaml.new");
    await refused(spent, /Enrolling failed, so nothing was changed: .*trust.yaml/);
    await asRoot("rmdir /etc/sallyport/trust.yaml.new /etc/sallyport");
  });

  it("has not used the token up by any of that, and enrols a host once", async () => {
    const { status, stderr } = await enroll(token);
    assert.equal(status, 0, stderr);
    await refused(token, /enrolled already .*To enrol it anew, run first: sallyport-agent leave/);
  });
});
