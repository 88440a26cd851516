import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { portHolder, requirePorts } from "../../../demo/ports.ts";

describe("the demo's ports", () => {
  it("name the port that is taken and who holds it", async () => {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    try {
      assert.match(portHolder(port) ?? "", new RegExp(`\\(pid ${process.pid}: `));
      await assert.rejects(requirePorts("127.0.0.1", [port]), (error: Error) => {
        assert.match(
          error.message,
          new RegExp(`^Port ${port} is taken by \\S+ \\(pid ${process.pid}: .*\\)\\.`),
        );
        assert.match(error.message, /npm start -- --port \d+$/);
        return true;
      });
    } finally {
      server.close();
      await once(server, "close");
    }
    await requirePorts("127.0.0.1", [port]);
    assert.equal(portHolder(port), undefined);
  });

  it("say what else is wrong with a port", async () => {
    await assert.rejects(
      requirePorts("192.0.2.1", [7300]),
      /Port 7300 on 192\.0\.2\.1 cannot be used \(EADDRNOTAVAIL\)/,
    );
  });
});
