import { CommandGrant } from "@sallyport/core/commands/command-rule.ts";
import { CommandRules, type HostFiles } from "@sallyport/core/commands/match.ts";
import { parseLine } from "@sallyport/core/commands/parse-line.ts";
import { amount, type Figure } from "./figure.ts";
import { median, p99 } from "./statistics.ts";

const TARGET_MS = 0.1;
const RULES = 1000;
const WARM_UPS = 2000;
const FILES: HostFiles = { real: (path) => path, program: (name) => `/usr/bin/${name}` };

/** Rules, and lines that take turns; all of them are allowed, or none. */
interface Case {
  name: string;
  rule(n: number): Record<string, unknown>;
  line(n: number): string;
  outcome: "allow" | "refuse";
}

const restart = (n: number) => ({
  program: "systemctl",
  flags: ["--no-block", { flag: "--lines", value: { integer: { from: 1, to: 500 } } }],
  arguments: [{ oneOf: ["restart", "status"] }, `service-${n}`],
});
const release = (n: number) => ({
  program: "deploy",
  arguments: [
    "release",
    `app-${n}`,
    { matches: "v[0-9]+(\\.[0-9]+){0,3}" },
    { optional: [{ under: "/srv" }] },
  ],
});
const CASES: readonly Case[] = [
  {
    name: "1,000 programs, allowed",
    rule: (n) => ({ ...release(n), program: `deploy-${n}` }),
    line: (n) => `deploy-${n} release app-${n} v1.20.${n} '/srv/app ${n}'`,
    outcome: "allow",
  },
  {
    name: "1,000 programs, refused",
    rule: (n) => ({ ...release(n), program: `deploy-${n}` }),
    line: (n) => `deploy-${n} release app-${n} latest`,
    outcome: "refuse",
  },
  {
    name: "1,000 rules of one program with flags, allowed",
    rule: restart,
    line: (n) => `systemctl --lines=20 restart service-${n} --no-block`,
    outcome: "allow",
  },
  {
    name: "1,000 rules of one program with patterns and paths, allowed",
    rule: release,
    line: (n) => `deploy release app-${n} v1.20.${n} '/srv/app ${n}'`,
    outcome: "allow",
  },
  {
    name: "1,000 rules of one program, refused",
    rule: restart,
    line: (n) => `systemctl restart unknown-${n} --no-block`,
    outcome: "refuse",
  },
];

/** From a line to what may be done with it: `runs` lines of each kind. The host's files cost nothing here. */
export async function benchDecision(runs = 10_000): Promise<Figure[]> {
  return CASES.flatMap((one) => {
    const rules = new CommandRules([
      CommandGrant.parse({ rules: Array.from({ length: RULES }, (_, n) => one.rule(n)) }),
    ]);
    const times: number[] = [];
    for (let run = -WARM_UPS; run < runs; run++) {
      const line = one.line((run + WARM_UPS) % RULES);
      const begun = performance.now();
      const parsed = parseLine(line, { pipes: true });
      const words = parsed.ok ? (parsed.stages[0] ?? []).map(({ text }) => text) : [];
      const { outcome } = rules.decide(words, { home: "/home/deploy", files: FILES });
      if (run >= 0) times.push(performance.now() - begun);
      if (outcome !== one.outcome) throw new Error(`${line}: ${outcome}`);
    }
    return [
      amount("decision", `${one.name}: median`, "ms", median(times), TARGET_MS),
      amount("decision", "  99th percentile", "ms", p99(times)),
    ];
  });
}
