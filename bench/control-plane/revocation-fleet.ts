import { createPrivateKey, type KeyObject, sign } from "node:crypto";
import { helloStatement, REVOCATIONS_CAPABILITY } from "@sallyport/core/messages/host-link.ts";
import type { SessionId } from "@sallyport/core/names.ts";
import { ControlPlaneLink } from "@sallyport/uplink/link/control-plane-link.ts";
import { WebSocket } from "ws";
import { ListCopy } from "../../test/fixtures/list-copy.ts";

/*
 * A fleet in a process of its own, told what to do by the one that measures. Two kinds of hosts: those that are connected and each
 * have one session that every revocation ends, with the agents' own link and a copy of the list that is checked entry by entry; and
 * those that join, which look at no more of a message than its place, for two thousand times a hundred thousand entries are a
 * day's work to read.
 */

/** What the measuring process says. */
export type FleetOrder =
  | { type: "connect"; server: string; hosts: FleetMember[] }
  | { type: "join"; server: string; hosts: FleetMember[] }
  | { type: "leave" };
/** What the fleet says: all have the list and a lease; something did not fit. */
export type FleetNews = { type: "ready" } | { type: "wrong"; what: string };

export interface FleetMember {
  id: string;
  /** PKCS #8, PEM. */
  key: string;
  session: string;
}

const leaving: (() => void)[] = [];
const say = (news: FleetNews) => process.send?.(news);

process.on("disconnect", () => process.exit());
process.on("message", (order: FleetOrder) => {
  if (order.type === "leave") for (const leave of leaving.splice(0)) leave();
  else {
    const waiting = new Set(order.hosts.map(({ id }) => id));
    const begin = order.type === "connect" ? connect : join;
    for (const host of order.hosts)
      begin(order.server, host, () => {
        if (waiting.delete(host.id) && waiting.size === 0) say({ type: "ready" });
      });
  }
});

function connect(server: string, { id, key, session }: FleetMember, isReady: () => void): void {
  let version = 0;
  const copy = new ListCopy();
  const link: ControlPlaneLink = new ControlPlaneLink({
    ...{ server, hostId: id, hostKey: createPrivateKey(key), agentVersion: "bench" },
    bundleVersion: () => version,
    revocationSequence: () => copy.sequence,
    revocationChain: () => copy.chain,
    onMessage: (message) => {
      if (message.type === "revocations") {
        copy.take(message);
        const [what] = copy.wrong;
        if (what !== undefined) say({ type: "wrong", what });
        const endedSessions = [session as SessionId];
        if (copy.sequence > 0) link.send({ type: "revocation-ack", sequence: copy.sequence, endedSessions });
      }
      if (message.type === "bundle") {
        version = documentIn(message.jws).version ?? 0;
        link.send({ type: "bundle-ack", version });
      }
      if (message.type === "bundle" || message.type === "lease") {
        if (documentIn(message.jws).revocationChain !== copy.chain)
          say({ type: "wrong", what: "a lease is for another list" });
        isReady();
      }
    },
    onConnected: () => {},
    onDisconnected: () => {},
    onClock: () => {},
  });
  link.start();
  leaving.push(() => link.close());
}

/** The places of a message are at its beginning. */
const PLACES = /^\{"type":"revocations","after":(\d+),"sequence":(\d+),/;

function join(server: string, { id, key }: FleetMember, isReady: () => void): void {
  const hostKey = createPrivateKey(key);
  let hasLeft = false;
  leaving.push(() => {
    hasLeft = true;
  });
  const connect = () => {
    let next = 0;
    let newest = -1;
    const socket = new WebSocket(`${server.replace(/^http/, "ws")}/api/v1/host-link`, {
      perMessageDeflate: false,
    });
    leaving.push(() => socket.terminate());
    socket.on("error", () => {}); // "close" follows
    // As agents do; it begins anew then.
    socket.on("close", () => !hasLeft && setTimeout(connect, 1000 + Math.random() * 1000));
    socket.on("message", (data: Buffer) => {
      const places = PLACES.exec(data.toString("latin1", 0, 100));
      if (places !== null) {
        if (Number(places[1]) !== next) say({ type: "wrong", what: `after ${places[1]} came to ${next}` });
        newest = Number(places[2]);
        next = Math.min(next + PAGE, newest);
        return;
      }
      const message = JSON.parse(data.toString()) as { type: string; server: string; nonce: string };
      if (message.type === "challenge")
        socket.send(JSON.stringify(helloOf(id, hostKey, message.server, message.nonce)));
      if (message.type !== "bundle" && message.type !== "lease") return;
      if (next !== newest) say({ type: "wrong", what: `a lease came at ${next} of ${newest}` });
      isReady();
    });
  };
  connect();
}

/** Entries of a full message. */
const PAGE = 2000;

function helloOf(hostId: string, key: KeyObject, server: string, nonce: string) {
  const signature = sign(null, helloStatement(server, hostId, nonce), key).toString("base64url");
  const has = { bundleVersion: 0, revocationSequence: 0, revocationChain: "" };
  return {
    ...{ type: "hello", v: 1, hostId, agentVersion: "bench", signature, ...has },
    capabilities: [REVOCATIONS_CAPABILITY],
  };
}

function documentIn(jws: string): { version?: number; revocationChain?: string } {
  return JSON.parse(Buffer.from(jws.split(".")[1] ?? "", "base64url").toString("utf8"));
}
