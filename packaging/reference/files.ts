import { Configuration } from "@sallyport/control-plane/config/configuration.ts";
import { AgentConfig } from "../../agent/src/configuration/agent-config.ts";
import { type ConfigKey, keysOf } from "./keys.ts";
import { manual } from "./manual.ts";
import { page } from "./page.ts";

/** A configuration file, for those who write one. */
export interface ConfigFile {
  /** Also the name of its man page. */
  name: string;
  path: string;
  /** In one line, without a stop. */
  purpose: string;
  /** Paragraphs before the keys. */
  about: readonly string[];
  /** Man pages, and where more is told. */
  seeAlso: readonly string[];
  more: string;
  keys: readonly ConfigKey[];
}

/** The files that are told of. */
export const CONFIG_FILES: readonly ConfigFile[] = [
  {
    name: "sallyport-control-plane.yaml",
    path: "/etc/sallyport/control-plane.yaml",
    purpose: "configuration of the control plane",
    about: [
      "YAML. Unknown keys are refused, with file, line and column. It is read at start; `tls` files and `policyFile` also on SIGHUP. " +
        "`sallyport-control-plane check-config` looks at it without starting anything, `sallyport-control-plane setup` writes a first one.",
      "Every key that is called a file holds a path: secrets are never in this file, but for `clientSecret`, which is none.",
    ],
    seeAlso: ["sallyport-control-plane(8)"],
    more: "operating/control-plane.md#control-planeyaml",
    keys: keysOf(Configuration),
  },
  {
    name: "sallyport-agent.yaml",
    path: "/etc/sallyport/agent.yaml",
    purpose: "configuration of the host agent",
    about: [
      "YAML. Every key but `version` may be left out, and so may the file. Unknown keys are refused, with file, line and column. It is " +
        "read at start: `systemctl restart sallyport-agent` takes a change, and ends no session.",
    ],
    seeAlso: ["sallyport-agent(8)"],
    more: "operating/hosts.md#agentyaml",
    keys: keysOf(AgentConfig),
  },
];

/** What is made of them: text by path below the root of the repository. */
export function referenceFiles(): Record<string, string> {
  return {
    "docs/config.md": page(CONFIG_FILES),
    "control-plane/man/sallyport-control-plane.yaml.5": manual(CONFIG_FILES[0] as ConfigFile),
    "agent/man/sallyport-agent.yaml.5": manual(CONFIG_FILES[1] as ConfigFile),
  };
}
