import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { parseTcpLine, socketInodesOf, tcpSocketsOf } from "../../../../agent/src/kernel/tcp-sockets.ts";

describe("a process's TCP sockets", () => {
  const line = (local: string, peer: string, state: string) =>
    `   0: ${local} ${peer} ${state} 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0000 100 0 0 10 0`;

  const rows: [what: string, line: string, expected: ReturnType<typeof parseTcpLine>][] = [
    ["a heading", "  sl  local_address rem_address   st tx_queue rx_queue", null],
    [
      "an IPv4 connection",
      line("0100007F:D431", "0A0200C0:1538", "01"),
      { inode: 4711, state: "established", local: "127.0.0.1:54321", peer: "192.0.2.10:5432" },
    ],
    [
      "an IPv6 listener",
      line("00000000000000000000000001000000:0016", "00000000000000000000000000000000:0000", "0A"),
      { inode: 4711, state: "listen", local: "[0:0:0:0:0:0:0:1]:22", peer: "[0:0:0:0:0:0:0:0]:0" },
    ],
    [
      "IPv4 inside IPv6",
      line("0000000000000000FFFF00000100007F:0016", "0000000000000000FFFF00000A0200C0:D431", "01"),
      { inode: 4711, state: "established", local: "127.0.0.1:22", peer: "192.0.2.10:54321" },
    ],
    [
      "one that is closing",
      line("0100007F:D431", "0100007F:1538", "06"),
      { inode: 4711, state: "other", local: "127.0.0.1:54321", peer: "127.0.0.1:5432" },
    ],
  ];
  for (const [what, text, expected] of rows)
    it(`are read: ${what}`, () => assert.deepEqual(parseTcpLine(text), expected));

  it("are those that the kernel tells", async () => {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    const client = connect(port, "127.0.0.1");
    const [accepted] = await once(server, "connection");
    const inodes = new Set(socketInodesOf(process.pid));
    const mine = tcpSocketsOf(process.pid).filter(
      ({ inode, local, peer }) => inodes.has(inode) && [local, peer].includes(`127.0.0.1:${port}`),
    );
    assert.deepEqual(mine.map(({ state }) => state).sort(), ["established", "established", "listen"]);
    client.destroy();
    accepted.destroy();
    server.close();
  });

  it("are none of a process that is gone", () => {
    assert.deepEqual(socketInodesOf(2 ** 22), []);
    assert.deepEqual(tcpSocketsOf(2 ** 22), []);
  });
});
