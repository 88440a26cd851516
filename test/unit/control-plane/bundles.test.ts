import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { addHost, hostById } from "@sallyport/control-plane/database/hosts.ts";
import { listMembers, pinIdentity } from "@sallyport/control-plane/database/members.ts";
import { addRevocation, revocationHead } from "@sallyport/control-plane/database/revocations.ts";
import { newId } from "@sallyport/control-plane/environment.ts";
import { openKeys } from "@sallyport/control-plane/keys/keys.ts";
import { applyPolicy } from "@sallyport/control-plane/policy/apply-policy.ts";
import { bundleContent } from "@sallyport/control-plane/policy/bundle-content.ts";
import { Bundles } from "@sallyport/control-plane/policy/bundles.ts";
import { selects } from "@sallyport/control-plane/policy/host-selection.ts";
import { HostName, ShortName } from "@sallyport/core/names.ts";
import type { Bundle, Lease } from "@sallyport/core/policy/bundle.ts";
import { Engagement, HostSelector, Member } from "@sallyport/core/policy/engagement.ts";
import { verifyBundle, verifyLease } from "@sallyport/core/policy/signed-document.ts";
import { decodeJwt } from "jose";
import { makeWorld, policyText, type World } from "./support/world.ts";

const DAY = 86_400;
const NOW = 1_800_000_000;

describe("bundle content", () => {
  const id = (prefix: string, digit: number) => `${prefix}_${String(digit).padStart(26, "0")}`;
  const host = {
    id: id("hst", 1),
    name: HostName.parse("web-1"),
    labels: { [ShortName.parse("env")]: "test" },
  };
  const member = (digit: number) =>
    Member.parse({ id: id("mem", digit), name: `M${digit}`, email: null, vendor: "v", identities: [] });
  const engagement = (digit: number, changes: object = {}) =>
    Engagement.parse({
      id: id("eng", digit),
      name: `e${digit}`,
      vendor: "v",
      members: [id("mem", digit)],
      hosts: { names: ["web-1"], labels: {} },
      accounts: ["deploy"],
      mode: "shell",
      mfa: { level: "none", maxAge: null },
      hours: null,
      sources: [],
      start: NOW - DAY,
      end: NOW + DAY,
      ended: null,
      approval: { rule: "none", approved: false },
      contact: "",
      ...changes,
    });

  it("has no engagement of another mode, and no word of modes, for a host of before there were any", () => {
    const commands = { rules: [{ program: "df" }] };
    const policy = {
      members: [member(1), member(2)],
      engagements: [engagement(1), engagement(2, { mode: "commands", commands })],
      head: { sequence: 0, chain: "" },
    };
    const old = bundleContent(host, policy, NOW, { modes: false, revocations: false });
    assert.deepEqual(
      old.engagements.map(({ name }) => name),
      ["e1"],
    );
    assert.deepEqual(
      ["commands", "files", "idpGrace"].filter((key) => key in (old.engagements[0] ?? {})),
      [],
    );
    assert.deepEqual(
      old.members.map(({ name }) => name),
      ["M1"],
    );
    assert.equal(bundleContent(host, policy, NOW).engagements.length, 2);
  });

  it("holds engagements of this host only, and their members only", () => {
    const policy = {
      members: [member(1), member(2), member(3)],
      engagements: [engagement(3), engagement(1), engagement(2, { hosts: { names: ["web-2"], labels: {} } })],
      head: { sequence: 0, chain: "" },
    };
    const content = bundleContent(host, policy, NOW);
    assert.deepEqual(
      content.engagements.map(({ name }) => name),
      ["e1", "e3"],
    );
    assert.deepEqual(
      content.members.map(({ name }) => name),
      ["M1", "M3"],
    );
  });

  const windows: [name: string, changes: object, isIn: boolean][] = [
    ["running", {}, true],
    ["not begun", { start: NOW + DAY, end: NOW + 2 * DAY }, true],
    ["over for 89 days", { start: 0, end: NOW - 89 * DAY }, true],
    ["over for 91 days", { start: 0, end: NOW - 91 * DAY }, false],
    ["ended early 89 days ago", { start: 0, ended: { at: NOW - 89 * DAY, by: "", reason: "" } }, true],
    ["ended early 91 days ago", { start: 0, ended: { at: NOW - 91 * DAY, by: "", reason: "" } }, false],
  ];
  for (const [name, changes, isIn] of windows) {
    it(`${isIn ? "holds" : "leaves out"} an engagement that is ${name}`, () => {
      const policy = { members: [], engagements: [engagement(1, changes)], head: { sequence: 0, chain: "" } };
      assert.equal(bundleContent(host, policy, NOW).engagements.length, isIn ? 1 : 0);
    });
  }

  const selectors: [selector: object, isMeant: boolean][] = [
    [{ names: ["web-1"] }, true],
    [{ names: ["web-2"] }, false],
    [{ labels: { env: "test" } }, true],
    [{ labels: { env: "test", zone: "a" } }, false],
    [{ names: ["web-2"], labels: { env: "test" } }, true],
    [{}, false],
  ];
  for (const [selector, isMeant] of selectors) {
    it(`${isMeant ? "means" : "does not mean"} the host by ${JSON.stringify(selector)}`, () => {
      assert.equal(selects(HostSelector.parse(selector), host), isMeant);
    });
  }
});

describe("bundles", () => {
  let world: World;
  let bundles: Bundles;
  let directory: string;
  let trusted: Parameters<typeof verifyBundle>[1];
  let hostId: string;
  const host = async () => (await hostById(world.db, hostId)) ?? assert.fail("no host");

  beforeEach(async () => {
    world = await makeWorld();
    directory = mkdtempSync(join(tmpdir(), "sallyport-bundles-"));
    const keys = openKeys(join(directory, "keys"), { file: "", exists: false });
    await keys.load(world.db);
    const { kid, signer } = keys.policy;
    const { x = "" } = signer.publicKey.key.export({ format: "jwk" });
    trusted = [{ kty: "OKP", crv: "Ed25519", x, kid }];
    bundles = new Bundles({ db: world.db, clock: world.environment.clock, keys, lease: 600 });
    hostId = newId(world.environment, "hst");
    await addHost(world.db, {
      id: hostId,
      name: "web-1",
      address: "a",
      port: 22,
      labels_json: "{}",
      host_key: "x",
      enrolled_at: 0,
    });
    await applyPolicy(world.db, world.environment, { text: policyText(), file: "p" });
  });
  afterEach(async () => {
    await world.db.destroy();
    rmSync(directory, { recursive: true });
  });

  it("keep their version while nothing changes, and have a fresh lease each time", async () => {
    const first = await bundles.current(await host());
    world.time.now += 100;
    const second = await bundles.current(await host());
    assert.deepEqual([first.version, second.version], [1, 1]);
    assert.equal((await verifyBundle(second.jws, trusted)).leaseUntil, world.time.now + 600);
  });

  const revoke = (target: string) =>
    addRevocation(world.db, {
      ...{ id: newId(world.environment, "rev"), level: "key", target, at: 0, by: "", reason: "" },
    });
  const OLDER = { modes: true, revocations: false };

  it("get a new version when a member is pinned and the policy changes, but neither by a revocation nor for other hosts", async () => {
    const versions = [(await bundles.current(await host())).version];
    const [dana] = await listMembers(world.db);
    await pinIdentity(world.db, {
      issuer: "https://idp.test",
      subject: "d",
      member_id: dana?.id ?? "",
      pinned_at: 0,
    });
    versions.push((await bundles.current(await host())).version);
    await revoke("SHA256:x");
    const revoked = await bundles.current(await host());
    versions.push(revoked.version);
    assert.equal(revoked.revocationSequence, 1);
    const { revocations, revocationSequence, revocationChain } = await verifyBundle(revoked.jws, trusted);
    assert.deepEqual([revocations, revocationSequence], [[], 1]);
    assert.equal(revocationChain, (await revocationHead(world.db)).chain);
    const elsewhere = policyText().replace("web-work", "else").replace("web-1", "web-9");
    await applyPolicy(world.db, world.environment, { text: elsewhere, file: "p" });
    versions.push((await bundles.current(await host())).version);
    assert.deepEqual(versions, [1, 2, 2, 2]);
  });

  it("get a new version when an IdP falls silent, and when it is heard again", async () => {
    let silentIssuers: { issuer: string; since: number }[] = [];
    const { db, environment } = world;
    const keys = openKeys(join(directory, "keys"), { file: "", exists: true });
    await keys.load(db);
    const needs = { db, clock: environment.clock, keys, lease: 600, silentIssuers: () => silentIssuers };
    const telling = new Bundles(needs);
    const versions = [(await telling.current(await host())).version];
    silentIssuers = [{ issuer: "https://idp.test", since: 5 }];
    const silent = await telling.current(await host());
    versions.push(silent.version, (await telling.current(await host())).version);
    assert.deepEqual((await verifyBundle(silent.jws, trusted)).silentIssuers, silentIssuers);
    silentIssuers = [];
    versions.push((await telling.current(await host())).version);
    assert.deepEqual(versions, [1, 2, 2, 3]);
  });

  it("have the list, and a new version by each revocation, for a host that does not keep it apart", async () => {
    const versions = [(await bundles.current(await host(), 0, OLDER)).version];
    await revoke("SHA256:x");
    const { version, jws } = await bundles.current(await host(), 0, OLDER);
    versions.push(version);
    assert.deepEqual(versions, [1, 2]);
    const document = decodeJwt<Bundle>(jws);
    assert.deepEqual(
      document.revocations.map(({ target }) => target),
      ["SHA256:x"],
    );
    for (const key of ["silentIssuers", "revocationChain"]) assert.ok(!(key in document), key);
    assert.ok(!("before" in (document.revocations[0] ?? {})));
    assert.ok(!("idpGrace" in (document.engagements[0] ?? {})));
    const lease = decodeJwt<Lease>((await bundles.lease(hostId, version, OLDER)).jws);
    assert.ok(!("revocationChain" in lease));
  });

  it("note the lease before it leaves, and never an earlier one than was given", async () => {
    const until = async () =>
      (await world.db.selectFrom("hosts").select("lease_until").executeTakeFirstOrThrow()).lease_until;
    const begun = world.time.now;
    await bundles.current(await host());
    assert.equal(await until(), begun + 600);
    world.time.now += 100;
    await bundles.lease(hostId, 1);
    assert.equal(await until(), begun + 700);
    world.time.now -= 50;
    await bundles.lease(hostId, 1);
    assert.equal(await until(), begun + 700);
  });

  it("go above what the host has, after our database was restored", async () => {
    assert.equal((await bundles.current(await host(), 41)).version, 42);
    assert.equal((await bundles.current(await host())).version, 42);
  });

  it("of many hosts at once hold what was stored before each was asked for", async () => {
    const one = await host();
    const asked = Array.from({ length: 250 }, () => bundles.current(one, 0, OLDER));
    await asked[0];
    // Others are still being made.
    await revoke("SHA256:y");
    asked.push(...Array.from({ length: 150 }, () => bundles.current(one, 0, OLDER)));
    const made = await Promise.all(asked);
    assert.ok(made.slice(0, 100).every(({ revocationSequence }) => revocationSequence === 0));
    assert.ok(made.slice(250).every(({ revocationSequence }) => revocationSequence === 1));
    const versions = made.map(({ version }) => version);
    assert.deepEqual(
      versions,
      versions.toSorted((a, b) => a - b),
    );
    assert.equal(versions.at(-1), 2);
  });

  it("of a host that is not there are refused, and others are made", async () => {
    const one = await host();
    const [gone, there] = await Promise.allSettled([
      bundles.current({ ...one, id: newId(world.environment, "hst") }),
      bundles.current(one),
    ]);
    assert.deepEqual([gone.status, there.status], ["rejected", "fulfilled"]);
  });

  it("are prolonged by a lease", async () => {
    await revoke("SHA256:x");
    const { chain } = await revocationHead(world.db);
    const { jws } = await bundles.lease(hostId, 7);
    const { issuedAt: _now, v: _v, ...lease } = await verifyLease(jws, trusted);
    const leaseUntil = world.time.now + 600;
    assert.deepEqual(lease, {
      ...{ hostId, bundleVersion: 7, revocationSequence: 1, revocationChain: chain, leaseUntil },
    });
  });
});
