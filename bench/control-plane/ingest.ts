import { randomBytes } from "node:crypto";
import type { ServerMessage } from "@sallyport/core/messages/host-link.ts";
import { makeId, SessionId } from "@sallyport/core/names.ts";
import { type Block, NO_HASH, sealBlock } from "@sallyport/core/recording/block.ts";
import { encodeFrame, FrameKind } from "@sallyport/core/recording/frame.ts";
import { ControlPlaneLink } from "@sallyport/uplink/link/control-plane-link.ts";
import { makeRecording } from "../../test/integration/control-plane/support/host.ts";
import { amount, type Figure, rate } from "../figure.ts";
import { addFleet, type FleetHost } from "./fleet.ts";
import { startServer } from "./server.ts";

const TARGET_MB = 50;
/** What memory may grow by, in MB: the blocks that are on their way. */
const TARGET_GROWTH = 100;
const HOSTS = 8;
const BLOCK = 60 * 1024;
/** Blocks sent and not acknowledged, of one host. */
const WINDOW = 32;

/** Recordings uploaded by some hosts at once, each block on the disk and committed before it counts. */
export async function benchIngest(megabytes = 400): Promise<Figure[]> {
  const server = await startServer();
  try {
    const db = await server.database();
    const fleet = await addFleet(db, HOSTS);
    await db.destroy();
    const perHost = Math.ceil((megabytes * 1e6) / HOSTS / BLOCK);
    const uploads = fleet.map((host) => ({ host, blocks: recording(host, perHost) }));
    const before = server.memory();
    let peak = before;
    const watching = setInterval(() => {
      peak = Math.max(peak, server.memory());
    }, 100);
    const begun = performance.now();
    await Promise.all(uploads.map(({ host, blocks }) => upload(server.url, host, blocks)));
    const seconds = (performance.now() - begun) / 1000;
    clearInterval(watching);
    const bytes = uploads.flatMap(({ blocks }) => blocks).reduce((sum, block) => sum + block.bytes.length, 0);
    return [
      rate("ingest", `stored durably, from ${HOSTS} hosts`, "MB/s", bytes / 1e6 / seconds, TARGET_MB),
      amount("ingest", "memory that grew meanwhile", "MB", peak - before, TARGET_GROWTH),
    ];
  } finally {
    await server.close();
  }
}

/** A recording of random bytes, which no compression makes less. */
function recording(host: FleetHost, count: number): Block[] {
  const member = { id: makeId("mem", Date.now(), randomBytes(10)), issuer: "https://idp.test", subject: "m" };
  const { start } = makeRecording(host, member);
  const session = SessionId.parse(makeId("ses", Date.now(), randomBytes(10)));
  const blocks: Block[] = [];
  for (let sequence = 0; sequence < count; sequence++) {
    const raw =
      sequence === 0
        ? encodeFrame({
            kind: FrameKind.start,
            time: 0,
            data: Buffer.from(JSON.stringify({ ...start, session })),
          })
        : encodeFrame({ kind: FrameKind.output, time: 1000, data: randomBytes(BLOCK) });
    const previousHash = blocks.at(-1)?.hash ?? NO_HASH;
    blocks.push(sealBlock({ session, sequence, last: false, frameCount: 1, raw, previousHash }, host.key));
  }
  return blocks;
}

/** Sends blocks as a host does, some ahead of what is acknowledged; resolves when all are. */
function upload(server: string, host: FleetHost, blocks: readonly Block[]): Promise<void> {
  return new Promise((resolve, reject) => {
    let sent = 0;
    let acknowledged = 0;
    const send = () => {
      while (sent < blocks.length && sent - acknowledged < WINDOW)
        link.sendBlock(blocks[sent++]?.bytes ?? new Uint8Array(), () => {});
    };
    const onMessage = (message: Exclude<ServerMessage, { type: "challenge" | "welcome" }>) => {
      if (message.type === "recording-rejected" || message.type === "recording-later")
        return reject(new Error(`a block was not stored: ${JSON.stringify(message)}`));
      if (message.type !== "recording-offset") return;
      acknowledged = message.nextSequence;
      send();
      if (acknowledged < blocks.length) return;
      link.close();
      resolve();
    };
    const link = new ControlPlaneLink({
      server,
      hostId: host.id,
      hostKey: host.key,
      agentVersion: "bench",
      bundleVersion: () => 0,
      revocationSequence: () => 0,
      revocationChain: () => "",
      onMessage,
      onConnected: send,
      onDisconnected: (reason) => reject(new Error(`the link ended: ${reason}`)),
      onClock: () => {},
    });
    link.start();
  });
}
