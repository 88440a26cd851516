import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RevocationList } from "@sallyport/agent/policy/revocation-list.ts";
import { identityTarget, Revocation, type RevocationSubject } from "@sallyport/core/policy/revocation.ts";
import { amount, type Figure } from "./figure.ts";
import { median, p99 } from "./statistics.ts";

const ENTRIES = 100_000;
const AT_ONCE = 2000;
const DECISION_MS = 1;
const MEMORY_MB = 20;
const READY_MS = 1000;
const ISSUER = "https://idp.example";
const MEASURE = join(import.meta.dirname, "revocation-list-memory.ts");

/** A host's list of 100,000 entries: what looking somebody up in it costs, and loading it. `runs` people of each kind. */
export async function benchRevocationList(runs = 20_000): Promise<Figure[]> {
  const directory = mkdtempSync(join(tmpdir(), "revocations-"));
  try {
    const [long, short] = [join(directory, "long"), join(directory, "short")];
    const list = fill(long, ENTRIES);
    fill(short, 1).close();
    const nobody = times(runs, (run) => list.find(somebody(run)), false);
    const revoked = times(runs, (run) => list.find({ ...somebody(run), memberId: memberOf(run) }), true);
    list.close();
    const samples = [1, 2, 3].map(() => [measure(long), measure(short)] as const);
    const loading = median(samples.map(([one]) => one.milliseconds));
    const memory = median(samples.map(([one, other]) => one.megabytes - other.megabytes));
    return [
      amount("revocation-list", "nobody revoked: median", "ms", median(nobody), DECISION_MS),
      amount("revocation-list", "  99th percentile", "ms", p99(nobody), DECISION_MS),
      amount("revocation-list", "revoked, with the reason: median", "ms", median(revoked), DECISION_MS),
      amount("revocation-list", "  99th percentile", "ms", p99(revoked), DECISION_MS),
      amount("revocation-list", "memory for it", "MB", memory, MEMORY_MB),
      amount("revocation-list", "loading it", "ms", loading, READY_MS),
    ];
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** In a process of its own, which has nothing else in its memory. */
function measure(path: string): { milliseconds: number; megabytes: number } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--expose-gc", MEASURE, path], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as { milliseconds: number; megabytes: number };
}

function fill(path: string, count: number): RevocationList {
  const list = new RevocationList(path);
  for (let after = 0; after < count; after += AT_ONCE) {
    const length = Math.min(AT_ONCE, count - after);
    list.append(Array.from({ length }, (_, index) => entry(after + index + 1)));
  }
  return list;
}

function entry(sequence: number): Revocation {
  const [level, target] = targetOf(sequence);
  const id = `rev_${String(sequence).padStart(26, "0")}`;
  const reason = `contract over, see ticket ${sequence}`;
  const [at, before] = [1_800_000_000, sequence % 4 === 0 ? 1_800_000_000 : null];
  return Revocation.parse({ id, sequence, level, target, at, by: "sam@company.example", reason, before });
}

function targetOf(sequence: number): [level: Revocation["level"], target: string] {
  switch (sequence % 4) {
    case 0:
      return ["member", memberOf(sequence / 4)];
    case 1:
      return ["identity", identityTarget(ISSUER, `subject-${sequence}`)];
    case 2:
      return ["certificate", String(10n ** 18n + BigInt(sequence) * 7919n)];
    default:
      return ["session", `ses_${String(sequence).padStart(26, "0")}`];
  }
}

function memberOf(run: number): string {
  return `mem_${String((run % (ENTRIES / 4 - 1)) + 1).padStart(26, "0")}`;
}

function somebody(run: number): RevocationSubject {
  return {
    certificateSerial: String(run),
    keyFingerprint: `SHA256:${String(run).padStart(43, "x")}`,
    memberId: "mem_nobody",
    engagementId: `eng_${run}`,
    issuer: ISSUER,
    subject: `nobody-${run}`,
    vendors: ["vendor", "vendor"],
    signedInAt: 1_700_000_000,
  };
}

function times(runs: number, find: (run: number) => Revocation | undefined, revoked: boolean): number[] {
  return Array.from({ length: runs }, (_, run) => {
    const begun = performance.now();
    const found = find(run);
    const took = performance.now() - begun;
    if ((found !== undefined) !== revoked) throw new Error(`somebody was ${revoked ? "not " : ""}found`);
    return took;
  });
}
