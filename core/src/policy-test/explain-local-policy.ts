import type { LocalPolicy } from "../policy/local-policy.ts";
import { explainFiles } from "./explain-files.ts";
import { type Explanation, explainCommands } from "./explain-policy.ts";

/** What a host's own policy takes away, in words. */
export function explainLocalPolicy(policy: LocalPolicy): Pick<Explanation, "sentences" | "commands"> {
  const { deny, accounts, hours, sources, mfa, limits, forwarding, sudo, recording, modes, commands, files } =
    policy;
  const kept = [
    ...(deny?.all === true ? ["every contractor"] : []),
    ...(deny?.vendors ?? []).map((vendor) => `everybody of ${vendor}`),
    ...(deny?.members ?? []),
    ...(deny?.engagements ?? []).map((engagement) => `engagement ${engagement}`),
  ];
  const numbers = (values: object) =>
    Object.entries(values)
      .filter(([, value]) => value !== null)
      .map(([name, value]) => `${name} ${value}`)
      .join(", ");
  const all = [
    ["kept out", kept.join(", ")],
    [
      "accounts",
      accounts === undefined ? "" : accounts.length === 0 ? "none" : `only ${accounts.join(", ")}`,
    ],
    [
      "hours",
      hours === undefined
        ? ""
        : `only ${hours.windows.map(({ days, from, to }) => `${days.join(" ")} ${from} to ${to}`).join(", ")} (${hours.timeZone})`,
    ],
    ["from", sources === undefined ? "" : `only ${sources.join(", ")}`],
    ["sign-in", mfa === undefined ? "" : `at least ${numbers(mfa)}`],
    ["limits", limits === undefined ? "" : `at most ${numbers(limits)}`],
    ["forwarding", forwarding === undefined ? "" : forwarding === "none" ? "none" : "only what is listed"],
    ["sudo", sudo === undefined ? "" : `${sudo} at most`],
    [
      "recording",
      recording === undefined
        ? ""
        : Object.entries(recording)
            .map(([name, value]) => `${name} ${value}`)
            .join(", "),
    ],
    ["what", commands === undefined ? "" : "of commands only these, where the engagement allows them too:"],
    ["modes", modes === undefined ? "" : `only ${modes.join(", ")}`],
    ["files", files === undefined ? "" : files === "none" ? "none" : `only ${explainFiles(files)}`],
  ] as const;
  const sentences = all.flatMap(([topic, text]) => (text === "" ? [] : [{ topic, text }]));
  return {
    sentences: sentences.length > 0 ? sentences : [{ topic: "what", text: "nothing is taken away" }],
    commands: commands === undefined ? [] : explainCommands(commands),
  };
}
