import { setTimeout as pause } from "node:timers/promises";
import { difference, type Figure, ratio } from "./figure.ts";
import type { Pair, Side } from "./pair.ts";
import { alternate, timed } from "./rounds.ts";

const TARGET = 1.05;
const WARM_UPS = 3;
/** Lets the end of one login (its recording is uploaded) pass before the next begins. */
const BREATH_MS = 100;
const CONFIG_RUNS = 15;

/** How long `ssh HOST true` takes; and, for information, what the `Match exec` of our ssh_config adds. */
export async function benchLogin(pair: Pair, runs = 40): Promise<Figure[]> {
  const login = async (argv: readonly string[]) => {
    await pause(BREATH_MS);
    return (await timed(argv, pair.env)).whole;
  };
  const direct = (side: Side) => login(side.ssh([], "true"));
  await alternate(pair, WARM_UPS, direct);
  const samples = await alternate(pair, runs, direct);

  // Here "plain" is Sallyport without its ssh_config.
  const byConfig = (side: Side) =>
    login(side.name === "plain" ? pair.sallyport.ssh([], "true") : pair.person.ssh("deploy@web-1", "true"));
  await alternate(pair, 1, byConfig);
  const config = await alternate(pair, Math.min(runs, CONFIG_RUNS), byConfig);
  return [
    ratio({ bench: "login", name: "ssh HOST true", samples, target: TARGET }),
    difference({ bench: "login", name: "the same, in milliseconds", samples }),
    difference({ bench: "login", name: "Match exec (direct, by ssh_config)", samples: config }),
  ];
}
