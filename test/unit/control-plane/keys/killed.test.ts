import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readKeyFile } from "@sallyport/control-plane/keys/key-file.ts";
import { openKeys } from "@sallyport/control-plane/keys/keys.ts";
import { beginRotation, finishRotation, switchWhenReady } from "@sallyport/control-plane/keys/rotation.ts";
import { KeyKind } from "@sallyport/core/messages/key-succession.ts";
import { formatPublicKeyLine, publicKeyFromKeyObject } from "@sallyport/core/ssh/public-key.ts";
import { dyingDatabase } from "../support/dying-database.ts";
import { makeWorld, type World } from "../support/world.ts";

const config = { url: "https://sallyport.example.com", certificateLifetime: 600 };

describe("a rotation that is killed between the key's file and its row", () => {
  let world: World;
  let directory: string;
  beforeEach(async () => {
    world = await makeWorld();
    directory = join(mkdtempSync(join(tmpdir(), "sallyport-keys-")), "keys");
  });
  afterEach(async () => {
    await world.db.destroy();
    rmSync(join(directory, ".."), { recursive: true });
  });
  const open = async () => {
    const keys = openKeys(directory, { file: "sallyport.db", exists: false });
    await keys.load(world.db);
    return keys;
  };

  for (const kind of KeyKind.options)
    it(`leaves a ${kind} key that is never used, and the next one works`, async () => {
      const killed = await open();
      const first = formatPublicKeyLine(killed.signing(kind).publicKey);
      const db = dyingDatabase(world.db, { kind: "InsertQueryNode", table: "key_successions" });
      await assert.rejects(beginRotation({ ...world, db, keys: killed, config }, kind), /killed/);
      assert.equal(readdirSync(directory).filter((name) => name.startsWith(`${kind}-2`)).length, 1);

      const keys = await open();
      const [orphan] = keys.ring
        .all(kind)
        .map(({ publicKey }) => formatPublicKeyLine(publicKey))
        .filter((line) => line !== first);
      assert.ok(orphan !== undefined);
      const unused = async () => {
        const restarted = await open();
        const signing = formatPublicKeyLine(restarted.signing(kind).publicKey);
        const trusted = restarted.trusted(kind).map((key) => formatPublicKeyLine(key));
        assert.ok(![signing, ...trusted].includes(orphan), "the key that was left is used");
        return { signing, trusted };
      };
      assert.deepEqual(await unused(), { signing: first, trusted: [first] });

      const needs = { ...world, keys, config };
      await beginRotation(needs, kind);
      const { trusted } = await unused();
      const [, next] = trusted;
      assert.deepEqual(trusted, [first, next]);
      assert.equal(await switchWhenReady(needs, kind, true), true);
      assert.deepEqual(await unused(), { signing: next, trusted });
      await finishRotation(needs, kind, true);
      assert.deepEqual(await unused(), { signing: next, trusted: [next] });
      // Its file may go, and the first one's: nothing asks for either.
      for (const name of readdirSync(directory).filter((each) => each.startsWith(kind))) {
        const { privateKey } = readKeyFile(join(directory, name));
        if (formatPublicKeyLine(publicKeyFromKeyObject(privateKey)) !== next) rmSync(join(directory, name));
      }
      assert.equal(formatPublicKeyLine((await open()).signing(kind).publicKey), next);
      const begun = world.db.selectFrom("audit_events").select("id").where("type", "=", "key-rotation-begun");
      assert.equal((await begun.execute()).length, 1);
      const statements = await world.db.selectFrom("key_successions").selectAll().execute();
      assert.ok(!JSON.stringify(statements).includes(orphan));
    });
});
