import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { createPrincipalsServer } from "@sallyport/agent/logins/principals-server.ts";
import { until } from "../../../../demo/light-host/until.ts";
import { NOW } from "../../core/admission/identity-provider.ts";
import { makeCertificate } from "../../core/admission/login-certificate.ts";
import { makeAdmittingHost, SILENT } from "../support/admission.ts";
import { buildShim } from "../support/shim.ts";
import { SshdInPlace } from "../support/sshd.ts";
import { temporaryDirectory } from "../support/temporary.ts";

const SSHD_UID = 65534;

describe("an answer that comes when sshd has given up", () => {
  const directory = temporaryDirectory("suite");

  it("does not take the place of the one that sshd asked for since", async () => {
    mkdirSync(directory.file("run"));
    const shim = buildShim(directory.file("run"), directory.file("shim"));
    const host = makeAdmittingHost(directory.path, shim.path);
    const sshd = new SshdInPlace(directory.file("sshd"), shim);
    const [first, second] = await Promise.all(
      [1n, 2n].map((serial) => makeCertificate({ content: { serial } })),
    );
    const held = Promise.withResolvers<void>();
    let asked = 0;
    let answered = 0;
    const server = createPrincipalsServer({
      ...host,
      decider: {
        decide: async (...question: Parameters<typeof host.decider.decide>) => {
          if (asked++ === 0) await held.promise;
          const answer = await host.decider.decide(...question);
          answered++;
          return answer;
        },
      } as typeof host.decider,
      sshd: sshd.path,
      sshdUid: SSHD_UID,
      shim: shim.path,
      now: () => NOW,
      log: SILENT,
      onAdmitted: async () => {},
      onDecision: () => {},
    });
    server.listen(directory.file("run/principals.sock"));
    await once(server, "listening");
    chmodSync(directory.file("run/principals.sock"), 0o666);

    const ask = (certificate: Uint8Array | undefined) =>
      `'${shim.path}' principals --user=deploy '--key=${Buffer.from(certificate ?? []).toString("base64")}'`;
    // sshd ends its command after a while; here it is ended when its question has arrived.
    const asking = sshd.start(
      `${sshd.as(SSHD_UID, ask(first))} & until [ -e '${directory.file("asked")}' ]; do sleep 0.02; done; ` +
        `kill -9 $!; wait $!; ${sshd.as(SSHD_UID, ask(second))}; until [ -e '${directory.file("over")}' ]; do sleep 0.02; done`,
    );
    const done = asking.go();
    const serial = () => host.logins.get(asking.identity)?.identity?.certificateSerial;
    assert.ok(await until(() => asked === 1, 10_000));
    writeFileSync(directory.file("asked"), "");
    assert.ok(await until(() => serial() === "2", 10_000));
    held.resolve();
    assert.ok(await until(() => answered === 2, 10_000));
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(serial(), "2");
    writeFileSync(directory.file("over"), "");
    await done;
    sshd.close();
    server.close();
    await once(server, "close");
  });
});
