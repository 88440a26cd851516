import { PolicyStore } from "../policy/policy-store.ts";
import type { ExaminedHost } from "./check.ts";

/** The policy as it is on the disk, verified as the agent does; null without enrolment. Throws as {@link PolicyStore.load}. */
export async function storedPolicy({
  pinned,
  paths,
}: Pick<ExaminedHost, "pinned" | "paths">): Promise<PolicyStore | null> {
  if (pinned === null) return null;
  const store = new PolicyStore(paths.bundle, pinned.host.id, pinned.trust.policyKeys);
  await store.load();
  return store;
}
