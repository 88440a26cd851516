import assert from "node:assert/strict";
import { SallyportError } from "@sallyport/core/errors.ts";
import { formatOpenSshPrivateKey, parseOpenSshPrivateKey } from "@sallyport/core/ssh/private-key.ts";
import { fingerprint, formatPublicKeyLine } from "@sallyport/core/ssh/public-key.ts";
import { ed25519, freshEd25519, nistp256 } from "./keys.ts";
import { OpenSsh } from "./openssh.ts";

describe("OpenSSH private key files", () => {
  const openSsh = new OpenSsh();
  after(() => openSsh.remove());

  // Every length of the padding, 0 to 7.
  for (const comment of ["", "a", "ab", "abc", "abcd", "abcde", "abcdef", "abcdefg"]) {
    it(`are what ssh-keygen reads, comment ${JSON.stringify(comment)}`, () => {
      const { privateKey, publicKey } = freshEd25519();
      openSsh.write("key", formatOpenSshPrivateKey(privateKey, comment, 0xffffffff));
      assert.equal(openSsh.keygen("-y", "-f", "key").trim(), formatPublicKeyLine(publicKey, comment));
      assert.match(
        openSsh.keygen("-l", "-f", "key"),
        new RegExp(fingerprint(publicKey.blob).replace(/[+]/g, "\\+")),
      );
    });
  }

  it("come back as they were written", () => {
    const { privateKey } = freshEd25519();
    const read = parseOpenSshPrivateKey(formatOpenSshPrivateKey(privateKey, "a comment", 7));
    assert.ok(read.equals(privateKey));
  });

  it("of others, encrypted, cut short or damaged are refused", () => {
    const text = formatOpenSshPrivateKey(ed25519.privateKey, "", 1);
    openSsh.keygen("-q", "-t", "ed25519", "-N", "secret", "-f", "locked");
    openSsh.keygen("-q", "-t", "ecdsa", "-N", "", "-f", "ecdsa");
    const files = [
      openSsh.read("locked"),
      openSsh.read("ecdsa"),
      "",
      text.slice(0, -1),
      text.replace("b3Bl", "b3Bm"),
    ];
    for (const file of files)
      assert.throws(
        () => parseOpenSshPrivateKey(file),
        (error) => error instanceof SallyportError && error.code === "ssh-malformed",
      );
  });

  it("sign what ssh-keygen -Y verifies", () => {
    openSsh.write("signer", formatOpenSshPrivateKey(ed25519.privateKey, "signer", 1));
    openSsh.write("message", ""); // verified from standard input, which is empty
    openSsh.keygen("-Y", "sign", "-f", "signer", "-n", "test", "message");
    openSsh.keygen("-Y", "check-novalidate", "-n", "test", "-s", "message.sig", "-f", "signer");
  });

  it("are for Ed25519 and tame comments only", () => {
    assert.throws(() => formatOpenSshPrivateKey(nistp256.privateKey, "", 1), TypeError);
    assert.throws(() => formatOpenSshPrivateKey(ed25519.publicKey.key, "", 1), TypeError);
    assert.throws(() => formatOpenSshPrivateKey(ed25519.privateKey, "a\nb", 1), TypeError);
    assert.throws(() => formatOpenSshPrivateKey(ed25519.privateKey, "", 1.5), TypeError);
  });
});
