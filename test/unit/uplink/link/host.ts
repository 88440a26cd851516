import { EventEmitter, once } from "node:events";
import type { ServerMessage } from "@sallyport/core/messages/host-link.ts";
import { ControlPlaneLink, type LinkContext } from "@sallyport/uplink/link/control-plane-link.ts";
import { hostKeys } from "../spool/spool.ts";

export const HOST_ID = `hst_${"0".repeat(26)}`;

/** A host's end of the link, which keeps what it is told. */
export class TestHost extends EventEmitter {
  readonly link: ControlPlaneLink;
  readonly messages: ServerMessage[] = [];
  readonly skews: number[] = [];
  readonly losses: string[] = [];
  connected = 0;
  bundleVersion = 3;

  constructor(server: string, changes: Partial<LinkContext> = {}) {
    super();
    this.link = new ControlPlaneLink({
      server,
      hostId: HOST_ID,
      hostKey: hostKeys.privateKey,
      agentVersion: "1.2.3",
      bundleVersion: () => this.bundleVersion,
      revocationSequence: () => 5,
      onMessage: (message) => {
        this.messages.push(message);
        this.emit("activity");
      },
      onConnected: () => {
        this.connected++;
        this.emit("activity");
      },
      onDisconnected: (reason) => {
        this.losses.push(reason);
        this.emit("activity");
      },
      onClock: (skew) => this.skews.push(skew),
      ...changes,
    });
  }

  /** Resolves when `condition` holds; looked at whenever something has happened. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await once(this, "activity");
  }
}
