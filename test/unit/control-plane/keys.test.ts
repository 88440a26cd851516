import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Keys, openKeys } from "@sallyport/control-plane/keys/keys.ts";
import { isSallyportError, type SallyportError } from "@sallyport/core/errors.ts";
import { KeyKind } from "@sallyport/core/messages/key-succession.ts";
import { formatPublicKeyLine } from "@sallyport/core/ssh/public-key.ts";

const publicKeys = ({ ring }: Keys, kind: KeyKind) =>
  ring.all(kind).map(({ publicKey }) => formatPublicKeyLine(publicKey));

describe("keys", () => {
  let directory: string;
  beforeEach(() => {
    directory = join(mkdtempSync(join(tmpdir(), "sallyport-keys-")), "keys");
  });
  afterEach(() => rmSync(join(directory, ".."), { recursive: true, force: true }));
  const fresh = { file: "sallyport.db", exists: false };
  const used = { file: "sallyport.db", exists: true };
  const failure = (database: typeof fresh): SallyportError => {
    try {
      openKeys(directory, database);
    } catch (error) {
      if (isSallyportError(error, "config-invalid")) return error;
      throw error;
    }
    throw new Error("it did not fail");
  };

  it("are made once, for their owner only, and are the same the next time", () => {
    const made = openKeys(directory, fresh);
    assert.equal(statSync(directory).mode & 0o777, 0o700);
    assert.deepEqual(readdirSync(directory).sort(), ["host-ca.pem", "policy.pem", "user-ca.pem"]);
    for (const name of readdirSync(directory))
      assert.equal(statSync(join(directory, name)).mode & 0o777, 0o600);
    const read = openKeys(directory, used);
    for (const kind of KeyKind.options) assert.deepEqual(publicKeys(read, kind), publicKeys(made, kind));
    assert.notDeepEqual(publicKeys(made, "user-ca"), publicKeys(made, "host-ca"));
  });

  it("are refused when others may read them", () => {
    openKeys(directory, fresh);
    chmodSync(join(directory, "policy.pem"), 0o640);
    assert.match(failure(used).message, /policy\.pem has mode 0640.*chmod 600/);
  });

  it("are not made anew beside a database", () => {
    assert.match(
      failure(used).message,
      /user-ca\.pem and .* missing, but the database sallyport\.db is there/,
    );
    assert.throws(() => statSync(directory), /ENOENT/);
  });

  it("are not made anew one by one", () => {
    openKeys(directory, fresh);
    rmSync(join(directory, "host-ca.pem"));
    assert.match(failure(fresh).message, /host-ca\.pem missing, but other keys/);
  });

  it("must be keys", () => {
    openKeys(directory, fresh);
    writeFileSync(join(directory, "user-ca.pem"), "SECRET");
    const { message } = failure(used);
    assert.match(message, /user-ca\.pem is not a private key/);
    assert.ok(!message.includes("SECRET"));
  });
});
