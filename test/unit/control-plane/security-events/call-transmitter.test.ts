import assert from "node:assert/strict";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import {
  callTransmitter,
  namedUrl,
  secretIn,
} from "@sallyport/control-plane/security-events/call-transmitter.ts";
import {
  fetchSsfMetadata,
  ssfConfigurationUrl,
} from "@sallyport/control-plane/security-events/ssf-metadata.ts";
import { isSallyportError } from "@sallyport/core/errors.ts";

const isUnreachable = (error: unknown) => isSallyportError(error, "issuer-unreachable");

describe("calling a transmitter", () => {
  let server: Server;
  let url: string;
  const serve = async (listener: RequestListener) => {
    server = createServer(listener);
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  afterEach(() => {
    server.close();
    server.closeAllConnections();
  });

  it("follows no redirect, with the token or without", async () => {
    let followed = false;
    await serve((request, response) => {
      if (request.url === "/else") followed = true;
      response.writeHead(307, { location: "/else" }).end();
    });
    await assert.rejects(
      callTransmitter({ method: "POST", url, authorization: "Bearer s", body: {} }),
      (error) => {
        assert.ok(!String((error as Error).message).includes("Bearer"));
        return isUnreachable(error);
      },
    );
    assert.equal(followed, false);
  });

  it("reads so much and no more", async () => {
    await serve((_request, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(`"${"x".repeat(5000)}"`);
    });
    await assert.rejects(callTransmitter({ method: "GET", url, maxBytes: 1000 }), isUnreachable);
    assert.equal((await callTransmitter({ method: "GET", url })).status, 200);
  });

  it("waits so long and no longer, also in the middle of an answer", async () => {
    await serve((_request, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.write("{");
    });
    await assert.rejects(callTransmitter({ method: "GET", url, timeoutMs: 200 }), isUnreachable);
  });

  it("takes no metadata of another issuer, nor addresses that lead to this machine or in the clear", async () => {
    const metadata: Record<string, unknown> = {};
    await serve((_request, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify(metadata));
    });
    metadata.issuer = "https://else.test";
    await assert.rejects(fetchSsfMetadata(url), isUnreachable);
    Object.assign(metadata, { issuer: url, jwks_uri: "http://10.0.0.1/jwks" });
    await assert.rejects(fetchSsfMetadata(url), isUnreachable);
    metadata.jwks_uri = `${url}/jwks`;
    assert.equal((await fetchSsfMetadata(url))?.jwksUri, `${url}/jwks`);
    for (const address of ["http://127.0.0.1:7300/", "http://idp.test/x", "file:///etc/passwd", "x", 7, null])
      assert.throws(() => namedUrl(address, "https://idp.test"), isUnreachable);
    assert.equal(namedUrl("https://keys.test/x", "https://idp.test"), "https://keys.test/x");
  });

  it("has none where the transmitter has none", async () => {
    await serve((_request, response) => response.writeHead(404).end());
    assert.equal(await fetchSsfMetadata(url), undefined);
    assert.equal(
      ssfConfigurationUrl("https://tr.test/issuer1/"),
      "https://tr.test/.well-known/ssf-configuration/issuer1",
    );
    assert.throws(
      () => secretIn("/nonexistent"),
      (error) => isSallyportError(error, "config-invalid"),
    );
  });
});
