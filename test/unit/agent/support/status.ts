import type { StatusDocument } from "@sallyport/agent/status/status-document.ts";

/** The status of an agent with which all is well and one person is logged in; the moment is 2027-01-15T08:00:00Z. */
export const STATUS: StatusDocument = {
  v: 1,
  version: "0.1.0",
  pid: 7,
  host: { id: "hst_01m83bm45ry0v3yt7hyz1eshm1", name: "web-1" },
  startedAt: "2027-01-14T08:00:00.000Z",
  policy: { version: 3, issuedAt: "2027-01-15T07:00:00.000Z", engagements: 2 },
  lease: { until: "2027-01-15T08:09:05.000Z", seconds: 545 },
  revocationSequence: 12,
  revocations: { entries: 9, behind: 0, unvouched: 0, aside: null },
  sessions: [
    {
      id: "ses_01m83bm45ry0v3yt7hyz1eshm1",
      member: "Alice Acme",
      engagement: "acme-db",
      account: "deploy",
      kind: "pty",
      since: "2027-01-15T07:30:00.000Z",
      sourceAddress: "192.0.2.7",
    },
  ],
  recorders: [{ pid: 8, version: "0.1.0", sessions: 1, draining: false }],
  spool: {
    bytes: 1536,
    recordings: 1,
    rejected: 0,
    freeBytes: 5 * 1024 ** 3,
    freeInodes: 100_000,
    reserveBytes: 64 * 1024 ** 2,
    reserveInodes: 1000,
    limitBytes: 4 * 1024 ** 3,
  },
  uplink: {
    url: "https://sallyport.example.com",
    connectedSince: "2027-01-15T07:00:00.000Z",
    lastContact: "2027-01-15T07:59:50.000Z",
    lastError: null,
  },
  outbox: { waiting: 0, dropped: 0 },
  issuers: [{ issuer: "https://idp.example.com", keys: 2 }],
  clock: null,
  localPolicy: null,
};
