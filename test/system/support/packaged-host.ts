import type { LightHostOptions } from "../../../demo/light-host.ts";
import type { Suite } from "../../fixtures/whole-host/tree.ts";
import { type Installation, startWholeHost, type WholeHost } from "../../fixtures/whole-host.ts";
import { packageFile, packages } from "./packages.ts";

/**
 * Starts a Debian server of this release and installs, by the documented commands, what `npm run deb` makes. `more` are directories of this
 * machine that it sees too.
 */
export function packagedHost(
  suite: Suite,
  more: readonly string[] = [],
): (options: LightHostOptions) => Promise<WholeHost> {
  return (options) => startWholeHost(options, fromPackage(suite, more));
}

/** From the package, which lies in the first of the directories that the host sees. */
export function fromPackage(suite: Suite, more: readonly string[] = []): Installation {
  const directory = packages();
  return {
    suite,
    readOnly: [directory, ...more],
    install: async (host) => {
      await host.mustRun(["apt-get", "install", "--yes", packageFile(directory, "sallyport-agent")]);
    },
    enroll: async (host, joinToken) => {
      const enroll = ["sallyport-agent", "enroll", "--token-file", "-"];
      const { status, stdout, stderr } = await host.run(enroll, { input: `${joinToken}\n` });
      if (status !== 0) throw new Error(`enroll ended with ${status}: ${stderr}${stdout}`);
    },
    main: "/usr/lib/sallyport/agent/start.mjs",
    shim: "/usr/lib/sallyport/shim",
    files: (log) => {
      const output = `[Service]\nStandardOutput=append:${log}\nStandardError=append:${log}\n`;
      return {
        "/etc/systemd/system/sallyport-agent.service.d/log.conf": output,
        "/etc/systemd/system/sallyport-recorder@.service.d/log.conf": output,
      };
    },
  };
}
