import type { Outbox } from "@sallyport/uplink/events/outbox.ts";
import type { Logger } from "winston";
import type { Paths } from "../configuration/paths.ts";
import { troubleEvent } from "../events.ts";
import { ClockSkew } from "./clock-skew.ts";
import { HostClock } from "./host-clock.ts";
import type { TimeSource } from "./time-source.ts";

interface ClockSources {
  time: TimeSource;
  paths: Pick<Paths, "clock" | "clockAccepted">;
  outbox: Outbox;
  log: Logger;
}

/** The clock that everything is judged by, and what others' clocks say; both speak up in the log and to the control plane. */
export function openClock({ time, paths, outbox, log }: ClockSources): { clock: HostClock; skew: ClockSkew } {
  const clock = new HostClock({
    time,
    path: paths.clock,
    acceptedPath: paths.clockAccepted,
    onChange: (trusted, detail) => {
      if (trusted) log.info("the clock can be trusted again", { detail });
      else {
        log.error("the clock was set back: no contractor is admitted", { detail });
        outbox.add(troubleEvent("trouble", null, "clock-set-back", detail));
      }
    },
    onTrouble: (error) => log.error("the clock's record cannot be kept", { error: String(error) }),
  });
  const skew = new ClockSkew(({ peer, seconds }) =>
    log.warn("another clock differs from this host's", { peer, seconds }),
  );
  return { clock, skew };
}
