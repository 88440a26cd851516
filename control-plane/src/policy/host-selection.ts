import type { Engagement, HostSelector } from "@sallyport/core/policy/engagement.ts";
import type { Host } from "../database/hosts.ts";

/** True when the selector means this host: by name, or by labels that all match. No labels mean no host. */
export function selects(selector: HostSelector, host: Pick<Host, "name" | "labels">): boolean {
  if (selector.names.includes(host.name)) return true;
  const wanted = Object.entries(selector.labels);
  return (
    wanted.length > 0 &&
    wanted.every(([name, value]) => (host.labels as Record<string, string>)[name] === value)
  );
}

/** Whether an engagement runs, is over, or has not begun; `now` in seconds. */
export function engagementState(engagement: Engagement, now: number): "running" | "ended" | "not-started" {
  if (engagement.ended !== null || engagement.end <= now) return "ended";
  return engagement.start > now ? "not-started" : "running";
}
