import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Configuration } from "@sallyport/control-plane/config/configuration.ts";
import { type RunningControlPlane, startControlPlane } from "@sallyport/control-plane/control-plane.ts";
import { openDatabase } from "@sallyport/control-plane/database/open-database.ts";
import type { Database } from "@sallyport/control-plane/database/tables.ts";
import { type Environment, systemRandom } from "@sallyport/control-plane/environment.ts";
import { JoinTokenRequest, makeJoinToken } from "@sallyport/control-plane/hosts/join-token.ts";
import type { ObjectsLocation } from "@sallyport/control-plane/objects/objects-url.ts";
import { openStore } from "@sallyport/control-plane/store.ts";
import { freshDatabase, onPostgres } from "../../../fixtures/postgres.ts";
import { type Account, startIdentityProvider, type TestIdentityProvider } from "./identity-provider.ts";

/** One control plane with its IdP on loopback, and a directory that goes when it stops. */
export interface TestControlPlane {
  url: string;
  idp: TestIdentityProvider;
  config: Configuration;
  directory: string;
  /** Moves the control plane's clock. */
  clock: { offset: number };
  /** Of its PostgreSQL database, where the suite runs on one. */
  databaseUrl: string | undefined;
  environment: Environment;
  /** A second connection to its database. */
  database(): Promise<Database>;
  joinToken(name: string, labels?: Record<string, string>): Promise<string>;
  writePolicy(yaml: string): void;
  running: RunningControlPlane;
  restart(): Promise<void>;
  close(): Promise<void>;
}

const SILENT = { info: () => {}, warn: () => {}, error: () => {} };

const ACCOUNTS: Account[] = [
  { sub: "dana", email: "dana@vendor.test", emailVerified: true, name: "Dana Doe", amr: ["mfa"] },
  { sub: "eve", email: "eve@vendor.test", emailVerified: true, name: "Eve Early", amr: [] },
  { sub: "sam", email: "sec@acme.test", emailVerified: true, name: "Sam Security", amr: ["mfa"] },
  { sub: "audrey", email: "audit@acme.test", emailVerified: true, name: "Audrey Audit", amr: ["mfa"] },
  { sub: "stranger", email: "stranger@else.test", emailVerified: true, name: "Stranger", amr: [] },
  { sub: "unverified", email: "uma@vendor.test", emailVerified: false, name: "Uma Unverified", amr: [] },
  { sub: "second-dana", email: "dana@vendor.test", emailVerified: true, name: "Another Dana", amr: [] },
];

const POLICY = `
version: 1
members:
  - { name: Dana Doe, email: dana@vendor.test, vendor: vendor }
  - { name: Eve Early, email: eve@vendor.test, vendor: vendor }
  - { name: Uma Unverified, email: uma@vendor.test, vendor: vendor }
engagements:
  - name: web-work
    vendor: vendor
    members: [dana@vendor.test]
    hosts: { names: [web-1] }
    accounts: [deploy]
    start: 2020-01-01
    end: 2090-01-01
    contact: sec@acme.test
  - name: later-work
    vendor: vendor
    members: [dana@vendor.test, eve@vendor.test]
    hosts: { labels: { env: test } }
    accounts: [deploy]
    start: 2089-01-01
    end: 2090-01-01
    contact: sec@acme.test
`;

/**
 * `postgres`: on PostgreSQL whatever the suite runs on. `config`: more keys of the configuration file, `issuer`: of its issuer.
 * `moreIssuers`: behind it. `idp`: what it does otherwise. `objects`: a bucket.
 */
export async function startTestControlPlane(
  options: {
    lease?: number;
    postgres?: boolean;
    config?: object;
    issuer?: object;
    moreIssuers?: object[];
    idp?: Parameters<typeof startIdentityProvider>[0];
    objects?: ObjectsLocation;
  } = {},
): Promise<TestControlPlane> {
  const idp = await startIdentityProvider(options.idp);
  for (const account of ACCOUNTS) idp.accounts.set(account.sub, account);
  const directory = mkdtempSync(join(tmpdir(), "sallyport-cp-"));
  const policyFile = join(directory, "policy.yaml");
  writeFileSync(policyFile, POLICY);
  const dataDirectory = join(directory, "data");
  const clock = { offset: 0 };
  const environment: Environment = {
    clock: () => Date.now() + clock.offset,
    random: systemRandom,
    log: SILENT,
  };
  const parsed = Configuration.parse({
    version: 1,
    listen: { address: "127.0.0.1", port: 0 },
    url: "http://127.0.0.1:0",
    dataDirectory,
    issuers: [
      {
        ...{ name: "Test IdP", issuer: idp.issuer, clientId: "sallyport-cli", mfa: { amr: { mfa: "mfa" } } },
        ...options.issuer,
        // Most tests sign in without it.
        check: { required: false, ...(options.issuer as { check?: object } | undefined)?.check },
      },
      ...(options.moreIssuers ?? []),
    ],
    staff: [
      { email: "sec@acme.test", role: "admin" },
      { email: "audit@acme.test", role: "auditor" },
    ],
    policyFile,
    ...options.config,
  });
  // Shorter than a configuration file may say, so that no test waits long.
  const config = { ...parsed, lease: options.lease ?? parsed.lease };
  const fresh = onPostgres || options.postgres === true ? await freshDatabase() : undefined;
  const databaseUrl = fresh?.url;
  const running = await startControlPlane({ config, environment, databaseUrl, objects: options.objects });
  const port = Number(new URL(running.url).port);
  const test: TestControlPlane = {
    url: running.url,
    idp,
    config,
    directory: dataDirectory,
    clock,
    running,
    databaseUrl,
    environment,
    database: () => openDatabase(databaseUrl ?? join(dataDirectory, "sallyport.db")),
    joinToken: async (name, labels = {}) => {
      const { db, keys } = await openStore({ config, databaseUrl });
      const request = JoinTokenRequest.parse({ name, address: "127.0.0.1", port: 7302, labels });
      const url = running.url;
      const token = await makeJoinToken(
        { db, environment, config: { ...config, url }, keys },
        request,
        "test",
      );
      await db.destroy();
      return token;
    },
    writePolicy: (yaml) => writeFileSync(policyFile, yaml),
    restart: async () => {
      await test.running.close();
      const again = { ...config, listen: { ...config.listen, port }, url: running.url };
      test.running = await startControlPlane({
        config: again,
        environment,
        databaseUrl,
        objects: options.objects,
      });
    },
    close: async () => {
      await test.running.close();
      await idp.close();
      await fresh?.drop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  return test;
}
