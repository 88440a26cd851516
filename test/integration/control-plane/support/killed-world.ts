import { setTimeout as pause } from "node:timers/promises";
import { openCheckpoint } from "@sallyport/core/transparency/checkpoint.ts";
import { parseVerifierKey } from "@sallyport/core/transparency/signed-note.ts";
import type { Random } from "../../adversary/support/random.ts";
import { KillablePlane } from "./killable-plane.ts";
import { EngagementWorker, EnrolmentWorker, RevocationWorker } from "./killed-admins.ts";
import { ApprovalWorker, CertificateWorker, WebCodeWorker, type Worker } from "./killed-members.ts";
import { PersistentClient } from "./persistent-client.ts";
import { UploadingHost } from "./uploading-host.ts";

/** Those who ask for approval may each do so twenty times an hour. */
const MEMBERS = 12;
/** A worker's longest rest between two steps, in milliseconds: so that no one has the machine for itself. */
const REST = 30;

const STAFF = [
  { email: "admin@acme.test", role: "admin" },
  { email: "ann@acme.test", role: "approver" },
  { email: "ben@acme.test", role: "approver" },
];

/** Everybody who works while the control plane and its database are killed, with what was acknowledged to each. */
export interface KilledWorld {
  plane: KillablePlane;
  client: PersistentClient;
  /** Of the admin. */
  token: string;
  certificates: CertificateWorker;
  approvals: ApprovalWorker;
  webCodes: WebCodeWorker;
  revocations: RevocationWorker;
  engagements: EngagementWorker;
  enrolments: EnrolmentWorker;
  hosts: UploadingHost[];
  /** Checkpoints of the audit log that somebody has seen, the newest last; each is larger than the one before. */
  checkpoints: string[];
  /** The public key that they are verified with. */
  logKey: string;
  /** Works until `over` says so; resolves when everything that was begun is acknowledged. */
  work(over: () => boolean): Promise<void>;
}

/** A control plane that was never started, for {@link beginWork}. */
export function preparePlane(): Promise<KillablePlane> {
  return KillablePlane.prepare(policy(), { staff: STAFF });
}

/** Signs everybody in and enrols hosts. */
export async function beginWork(plane: KillablePlane, random: Random): Promise<KilledWorld> {
  const client = new PersistentClient(plane);
  const token = (await client.token("admin")).token;
  const members = [];
  for (let member = 0; member < MEMBERS; member++) members.push((await client.token(`m${member}`)).token);
  const approvers = [(await client.token("ann")).token, (await client.token("ben")).token];
  const certificates = new CertificateWorker(client, random, MEMBERS);
  const enrolments = new EnrolmentWorker(client, token);
  await enrolments.step();
  await enrolments.step();
  const hosts = enrolments.enrolled.map((host) => new UploadingHost(host, random));
  const world = {
    ...{ plane, client, token, certificates, enrolments, hosts },
    approvals: new ApprovalWorker(client, random, { members, approvers }),
    webCodes: new WebCodeWorker(client, token),
    revocations: new RevocationWorker(client, random, { token, issued: certificates.issued }),
    engagements: new EngagementWorker(client, token),
    checkpoints: [],
    logKey: String((await client.ask("GET", "/audit/key", { token })).body).trim(),
  };
  return { ...world, work: (over) => work(world, random, over) };
}

async function work(world: Omit<KilledWorld, "work">, random: Random, over: () => boolean): Promise<void> {
  const { certificates, approvals, webCodes, revocations, engagements, enrolments, hosts } = world;
  const workers: Worker[] = [certificates, approvals, webCodes, revocations, engagements, enrolments];
  const uploads = hosts.map((host) => host.run(world.plane));
  const steps = [...workers, { step: () => see(world) }].map(async (worker) => {
    while (!over()) {
      await worker.step();
      await pause(random.below(REST));
    }
  });
  await Promise.all(steps);
  for (const host of hosts) host.finish();
  await Promise.all(uploads);
}

/** Whoever watches the log keeps what they have seen of it. */
async function see({ client, token, checkpoints, logKey }: Omit<KilledWorld, "work">): Promise<void> {
  const { body } = await client.ask("GET", "/audit/checkpoint", { token });
  const size = (note: string) => openCheckpoint(note, parseVerifierKey(logKey)).size;
  const last = checkpoints.at(-1);
  if (last !== undefined && size(String(body)) < size(last))
    throw new Error(`the log had ${size(last)} entries, and now has ${size(String(body))}`);
  if (last !== String(body)) checkpoints.push(String(body));
}

function policy(): string {
  const emails = Array.from({ length: MEMBERS }, (_, member) => `m${member}@vendor.test`);
  const engagement = (name: string, approvers: number) => `
  - name: ${name}
    vendor: vendor
    members: [${emails.join(", ")}]
    hosts: { labels: { env: test } }
    accounts: [deploy]
    start: 2020-01-01
    end: 2090-01-01
    contact: admin@acme.test
    approval: { rule: login, approvers: ${approvers} }`;
  return `version: 1
members:
${emails.map((email) => `  - { name: ${email.split("@")[0]}, email: ${email}, vendor: vendor }`).join("\n")}
engagements:${engagement("login", 1)}${engagement("pair", 2)}
`;
}
