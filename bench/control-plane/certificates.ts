import { SignJWT } from "jose";
import {
  type ClientKey,
  call,
  certificateRequest,
  challenge,
  makeClientKey,
} from "../../test/integration/control-plane/support/client.ts";
import { amount, type Figure, rate } from "../figure.ts";
import { type BenchServer, CLIENT_ID, startServer } from "./server.ts";

const TARGET = 200;
const MEMBERS = 50;
/** Requests under way at once. */
const AT_ONCE = 16;

const POLICY = `version: 1
members:
${people("  - { name: NAME, email: NAME@vendor.test, vendor: vendor }")}
engagements:
  - name: work
    vendor: vendor
    members: [${people("NAME@vendor.test", ", ")}]
    hosts: { labels: { env: test } }
    accounts: [deploy]
    start: 2020-01-01
    end: 2090-01-01
    contact: sec@bench.test
`;

/** Certificates issued: each a challenge, a proof of possession, and an ID token that was not seen before. */
export async function benchCertificates(count = 3000): Promise<Figure[]> {
  const server = await startServer({ policy: POLICY });
  try {
    const sign = await signer(server);
    // Every member's first sign-in pins their identity: once in a life.
    for (let member = 0; member < MEMBERS; member++) await issue(server, await sign(member));
    const prepared = await Promise.all(Array.from({ length: count }, (_, index) => sign(index % MEMBERS)));
    const latencies: number[] = [];
    const begun = performance.now();
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (let next = prepared.pop(); next !== undefined; next = prepared.pop()) {
          const from = performance.now();
          await issue(server, next);
          latencies.push(performance.now() - from);
        }
      }),
    );
    const seconds = (performance.now() - begun) / 1000;
    const p99 = latencies.toSorted((a, b) => a - b)[Math.floor(latencies.length * 0.99)] ?? 0;
    return [
      rate("certificates", `issued, ${AT_ONCE} at once`, "/s", count / seconds, TARGET),
      amount("certificates", "  99th percentile of one", "ms", p99),
    ];
  } finally {
    await server.close();
  }
}

interface Prepared {
  key: ClientKey;
  idToken: string;
}

/** Makes ID tokens with the IdP's own key: signing in 3000 times in a browser is not what is measured. */
async function signer({ idp }: BenchServer): Promise<(member: number) => Promise<Prepared>> {
  const { privateKey, kid } = idp.signingKey;
  return async (member) => {
    const key = makeClientKey();
    const now = Math.floor(Date.now() / 1000);
    const idToken = await new SignJWT({
      nonce: key.nonce,
      email: `m${member}@vendor.test`,
      email_verified: true,
      name: `m${member}`,
      amr: ["mfa"],
      auth_time: now,
    })
      .setProtectedHeader({ alg: "RS256", kid })
      .setIssuer(idp.issuer)
      .setSubject(`m${member}`)
      .setAudience(CLIENT_ID)
      .setIssuedAt(now)
      .setExpirationTime(now + 3600)
      .sign(privateKey);
    return { key, idToken };
  };
}

async function issue({ url }: BenchServer, { key, idToken }: Prepared): Promise<void> {
  const body = certificateRequest(key, idToken, await challenge(url));
  const answer = await call(url, "POST", "/certificates", { body });
  if (answer.status !== 201)
    throw new Error(`no certificate: ${answer.status} ${answer.code} ${answer.message}`);
}

function people(line: string, between = "\n"): string {
  return Array.from({ length: MEMBERS }, (_, member) => line.replaceAll("NAME", `m${member}`)).join(between);
}
