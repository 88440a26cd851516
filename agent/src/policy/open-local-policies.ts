import type { Outbox } from "@sallyport/uplink/events/outbox.ts";
import type { Logger } from "winston";
import type { AgentConfig } from "../configuration/agent-config.ts";
import type { Paths } from "../configuration/paths.ts";
import { troubleEvent } from "../events.ts";
import { LocalPolicyFiles } from "./local-policy-files.ts";

interface LocalPolicySources {
  config: Pick<AgentConfig, "localPolicyDirectory">;
  paths: Pick<Paths, "lastGoodPolicies">;
  outbox: Outbox;
  log: Logger;
  /** Another policy holds: sessions and connections are to be judged again. */
  onChanged(): void;
}

/** The host's own policies; what happens to them is in the log and told to the control plane. */
export function openLocalPolicies(sources: LocalPolicySources): LocalPolicyFiles {
  const { config, paths, outbox, log } = sources;
  return new LocalPolicyFiles({
    directory: config.localPolicyDirectory,
    lastGood: paths.lastGoodPolicies,
    onChanged: (change) => {
      log.warn("the local policy has changed", { change });
      outbox.add(troubleEvent("local-policy-changed", null, "local-policy", change));
      sources.onChanged();
    },
    onBroken: (error) => {
      log.error("a local policy is broken", { error });
      outbox.add(troubleEvent("trouble", null, "local-policy-broken", error));
    },
    onMended: (file) => log.info("a local policy is right again, or gone", { file }),
  });
}
