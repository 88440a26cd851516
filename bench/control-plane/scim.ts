import { Agent, request } from "node:http";
import { amount, type Figure, rate } from "../figure.ts";
import { type BenchServer, startServer } from "./server.ts";

const TARGET = 100;
const USERS = 200;
/** Keep-alive connections: Okta and Entra ID have a few. */
const AT_ONCE = 4;

const TOKEN = "bench-scim-token-0123456789abcdef0123";
const USER = "urn:ietf:params:scim:schemas:core:2.0:User";
const PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/** People who have signed in, disabled and enabled in turns by PATCH: each is a revocation, stored before it is answered. */
export async function benchScim(count = 2000): Promise<Figure[]> {
  const server = await startServer({ scimToken: `${TOKEN}\n` });
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  try {
    await addIdentities(server);
    const ids: string[] = [];
    for (let n = 0; n < USERS; n++) {
      const userName = `m${n}@vendor.test`;
      const body = { schemas: [USER], userName, externalId: `m${n}`, active: true };
      ids.push((await send(agent, `${server.url}/scim/v2/Users`, "POST", body)).id ?? "");
    }
    const latencies: number[] = [];
    let next = 0;
    const begun = performance.now();
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (let turn = next++; turn < count; turn = next++) {
          const active = Math.floor(turn / USERS) % 2 === 1;
          const body = { schemas: [PATCH], Operations: [{ op: "replace", value: { active } }] };
          const from = performance.now();
          await send(agent, `${server.url}/scim/v2/Users/${ids[turn % USERS]}`, "PATCH", body);
          latencies.push(performance.now() - from);
        }
      }),
    );
    const seconds = (performance.now() - begun) / 1000;
    await checkRevocations(server, count);
    const p99 = latencies.toSorted((a, b) => a - b)[Math.floor(latencies.length * 0.99)] ?? 0;
    return [
      rate("scim", `people disabled or enabled, ${AT_ONCE} at once`, "/s", count / seconds, TARGET),
      amount("scim", "  99th percentile of one", "ms", p99),
    ];
  } finally {
    agent.destroy();
    await server.close();
  }
}

/** As first sign-ins leave them. */
async function addIdentities({ database, idp }: BenchServer): Promise<void> {
  const db = await database();
  for (let n = 0; n < USERS; n++)
    await db
      .insertInto("staff_identities")
      .values({ issuer: idp.issuer, subject: `m${n}`, email: `m${n}@vendor.test`, pinned_at: 1 })
      .execute();
  await db.destroy();
}

/** Fast is not enough. */
async function checkRevocations({ database }: BenchServer, count: number): Promise<void> {
  const db = await database();
  const stored = (await db.selectFrom("revocations").select("id").execute()).length;
  await db.destroy();
  if (stored !== count) throw new Error(`${count} PATCHes made ${stored} revocations`);
}

function send(agent: Agent, url: string, method: string, body: object): Promise<{ id?: string }> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/scim+json" };
    const sent = request(url, { agent, method, headers }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (chunk: string) => {
        text += chunk;
      });
      answer.on("error", reject);
      answer.on("end", () => {
        if (answer.statusCode === 200 || answer.statusCode === 201) resolve(JSON.parse(text));
        else reject(new Error(`${method} answered ${answer.statusCode}: ${text}`));
      });
    });
    sent.on("error", reject);
    sent.end(JSON.stringify(body));
  });
}
