import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { postWebhook } from "@sallyport/control-plane/outgoing/webhook.ts";
import { isSallyportError } from "@sallyport/core/errors.ts";

describe("a webhook message", () => {
  const received: { request: IncomingMessage; body: string }[] = [];
  let server: Server;
  let status = 204;
  const url = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
  const message = { id: "evt_1", at: 1_800_000_000, body: { text: "hello" } };

  beforeEach(async () => {
    received.length = 0;
    status = 204;
    server = createServer(async (request, response) => {
      const chunks: Buffer[] = await request.toArray();
      received.push({ request, body: Buffer.concat(chunks).toString("utf8") });
      response.writeHead(status, { location: "/elsewhere" }).end("what the receiver says");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  afterEach(() => server.close());

  it("is signed as Standard Webhooks has it", async () => {
    const secret = Buffer.from("0123456789abcdef0123456789abcdef");
    await postWebhook({ url: url(), secret }, message);
    const [{ request, body }] = received as [(typeof received)[0]];
    assert.equal(body, '{"text":"hello"}');
    const expected = createHmac("sha256", secret).update(`evt_1.1800000000.${body}`).digest("base64");
    assert.equal(request.headers["webhook-signature"], `v1,${expected}`);
    assert.equal(request.headers["webhook-id"], "evt_1");
  });

  for (const answer of [302, 400, 500]) {
    it(`is not delivered when the answer is ${answer}, and nothing else is asked`, async () => {
      status = answer;
      await assert.rejects(postWebhook({ url: url(), secret: undefined }, message), (error) => {
        assert.ok(isSallyportError(error, "delivery-failed"));
        assert.doesNotMatch(error.message, /hello|\/hook|receiver says/);
        return true;
      });
      assert.equal(received.length, 1);
    });
  }

  it("is not delivered when nobody listens", async () => {
    const gone = url();
    await new Promise((resolve) => server.close(resolve));
    await assert.rejects(postWebhook({ url: gone, secret: undefined }, message), (error) =>
      isSallyportError(error, "delivery-failed"),
    );
  });
});
