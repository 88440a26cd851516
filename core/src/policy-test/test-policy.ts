import { sessionGrant } from "../commands/session-grant.ts";
import type { Bundle } from "../policy/bundle.ts";
import type { Engagement } from "../policy/engagement.ts";
import { evaluateLogin, type HostCondition, type LoginRequest } from "../policy/evaluate.ts";
import { RevocationIndex } from "../policy/revocation.ts";
import { engagementsOfFile, ISSUER, membersOfFile } from "./engagements-of-file.ts";
import { judgeCommand } from "./judge-command.ts";
import type { PolicyAnswer, PolicyQuestion } from "./question.ts";

const HOUR = 3600;

/**
 * Whether a host would let this member run this there, and by which rule: by the functions that decide on a host, for a host that is
 * well and a member who is signed in as well as can be. Pure; what only a host knows is in `assumed`.
 */
export function testPolicy(question: PolicyQuestion): PolicyAnswer {
  const members = membersOfFile(question.policy);
  const me = members.find(({ email }) => email === question.member.toLowerCase());
  const assumed = assumptions(question, me);
  const engagements = engagementsOfFile(question.policy, members, me?.id ?? null);
  const bundle = bundleOf(question, members, engagements);
  const decision = evaluateLogin(requestOf(question), conditionOf(question, bundle));
  const indexOf = (name: string) => question.policy.engagements.findIndex((one) => one.name === name);
  if (decision.outcome === "refuse") {
    const { refusal, engagement } = decision;
    return {
      outcome: "refuse",
      code: refusal.code,
      detail: refusal.code === "not-a-member" ? notAMember(question, me !== undefined) : refusal.detail,
      caret: null,
      engagement: engagement?.name ?? null,
      path: engagement === null ? [] : ["engagements", indexOf(engagement.name)],
      byLocalPolicy: refusal.code === "local-policy",
      usages: [],
      assumed,
    };
  }
  const { engagement } = decision;
  const path = ["engagements", indexOf(engagement.name)];
  const others = engagements
    .filter(({ name }) => name !== engagement.name)
    .filter((other) => admits(question, bundle, other))
    .map(({ name }) => name);
  if (others.length > 0)
    assumed.push(
      `${engagement.name} is asked first, as in the file; hosts ask in the order of the engagements' ids (sallyport engagement list --json).`,
    );
  const grant = sessionGrant(engagement, [...question.locals]);
  return judgeCommand(question, { grant, engagement, path, others, assumed });
}

function admits(question: PolicyQuestion, bundle: Bundle, engagement: Engagement): boolean {
  const only = { ...bundle, engagements: [engagement] };
  return evaluateLogin(requestOf(question), conditionOf(question, only)).outcome === "admit";
}

function notAMember({ member, policy }: PolicyQuestion, isMember: boolean): string {
  if (isMember) return `${member} is in no engagement of this file`;
  const invited = policy.engagements.some(({ members }) =>
    members.some((one) => one === member.toLowerCase()),
  );
  return `${member} is not among the members of this file${invited ? ", although an engagement names them" : ""}`;
}

function assumptions(
  { policy, locals, sourceAddress, host }: PolicyQuestion,
  me: { email: string | null; account: string | null } | undefined,
): string[] {
  const { engagements } = policy;
  const mine = engagements.filter(({ members }) => members.some((one) => one === me?.email));
  const networks = [...mine, ...locals].some(({ sources }) => (sources ?? []).length > 0);
  const unnamed = me?.account === null && mine.some(({ personal }) => personal !== null);
  const labels = mine.some((one) => Object.keys(one.hosts.labels).length > 0);
  return [
    "The member has just signed in, phishing-resistant and bound to the key.",
    ...(mine.some(({ approval }) => approval.rule !== "none")
      ? ["Approvals that are needed were given."]
      : []),
    ...(networks && sourceAddress === null
      ? ["The login comes from a network that is accepted (--from asks for an address)."]
      : []),
    ...(unnamed
      ? ["The control plane names the member's own account: give `account` in the file to ask for it."]
      : []),
    ...(labels && Object.keys(host.labels).length === 0 ? [`${host.name} has no labels (--label).`] : []),
  ];
}

function bundleOf(question: PolicyQuestion, members: Bundle["members"], engagements: Engagement[]): Bundle {
  const { now, host } = question;
  return {
    v: 1,
    host: { id: `hst_${"0".repeat(26)}`, name: host.name, labels: host.labels } as Bundle["host"],
    version: 1,
    issuedAt: now,
    leaseUntil: now + HOUR,
    members,
    engagements:
      question.sourceAddress === null ? engagements.map((one) => ({ ...one, sources: [] })) : engagements,
    revocations: [],
    revocationSequence: 0,
    silentIssuers: [],
  };
}

function conditionOf({ now, locals, sourceAddress }: PolicyQuestion, bundle: Bundle): HostCondition {
  return {
    bundle,
    clock: { trusted: true, detail: "" },
    local: sourceAddress === null ? locals.map(({ sources: _sources, ...rest }) => rest) : locals,
    leaseUntil: now + HOUR,
    revocations: new RevocationIndex(),
    recorderReady: true,
    spoolReserveFree: true,
    accountUnsafe: () => null,
    sessionsOf: () => 0,
  };
}

function requestOf({ member, account, now, sourceAddress }: PolicyQuestion): LoginRequest {
  return {
    identity: {
      token: {
        issuer: ISSUER,
        subject: member.toLowerCase(),
        nonce: "",
        issuedAt: now,
        expiresAt: now + HOUR,
        authTime: now,
        mfa: "phishing-resistant",
        acr: null,
        amr: [],
        acrs: [],
        email: member.toLowerCase(),
        emailVerified: true,
        name: null,
      },
      assurance: "bound",
      certificateSerial: "0",
      keyFingerprint: "",
      validBefore: now + HOUR,
    },
    account,
    sourceAddress,
    now,
  };
}
