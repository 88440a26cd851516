import { CLIENT_ID, CONTACT, type DemoEngagement, type DemoPerson } from "./seed.ts";

/*
 * The files that the demo writes. They are small enough for templates; JSON.stringify makes a value that YAML reads as
 * the same value.
 */
const yaml = (value: unknown) => JSON.stringify(value);

export type Addresses = {
  console: string;
  issuer: string;
  hosts: { name: string; address: string; port: number }[];
};

/** The control plane's configuration. */
export function configurationText(
  input: { port: number; addresses: Addresses; dataDirectory: string; policyFile: string },
  people: readonly DemoPerson[],
): string {
  const staff = people.filter((person) => person.role !== "contractor");
  return `# The control plane of the Sallyport demo.
version: 1
listen: { address: 127.0.0.1, port: ${input.port} }
url: ${yaml(input.addresses.console)}
dataDirectory: ${yaml(input.dataDirectory)}
issuers:
  - name: Demo IdP
    issuer: ${yaml(input.addresses.issuer)}
    clientId: ${CLIENT_ID}
    scope: openid profile email
    acrValues: null
    algorithms: [RS256]
    maxTokenAge: 86400
    mfa: { acr: {}, amr: { mfa: mfa, otp: mfa, hwk: phishing-resistant } }
staff:
${staff.map((person) => `  - { email: ${yaml(person.email)}, role: ${person.role} }`).join("\n")}
policyFile: ${yaml(input.policyFile)}
`;
}

/** The policy: who the contractors are, and what they are engaged for. */
export function policyText(people: readonly DemoPerson[], engagements: readonly DemoEngagement[]): string {
  const emailOf = (name: string) => people.find((person) => person.name === name)?.email ?? name;
  const members = people.flatMap((person) =>
    person.vendor === undefined
      ? []
      : [`  - { name: ${yaml(person.name)}, email: ${yaml(person.email)}, vendor: ${person.vendor} }`],
  );
  return `# Members and engagements of the Sallyport demo.
version: 1
members:
${members.join("\n")}
engagements:
${engagements
  .map(
    (engagement) => `  - name: ${engagement.name}
    vendor: ${engagement.vendor}
    members: ${yaml(engagement.members.map(emailOf))}
    hosts: { names: ${yaml(engagement.hosts)}, labels: {} }
    accounts: ${yaml(engagement.accounts)}
    mfa: { level: mfa, maxAge: 43200 }
    hours: null
    sources: []
    start: ${yaml(engagement.start)}
    end: ${yaml(engagement.end)}
    contact: ${yaml(CONTACT)}`,
  )
  .join("\n")}
`;
}

/** demo.json: what a program needs to drive the demo. */
export function demoFileText(
  addresses: Addresses,
  people: readonly DemoPerson[],
  engagements: readonly DemoEngagement[],
): string {
  const demo = {
    ...addresses,
    users: people.map(({ name, password, role, note }) => ({ name, password, role, note })),
    engagements: engagements.map(({ vendor: _vendor, ...engagement }) => engagement),
  };
  return `${JSON.stringify(demo, null, 2)}\n`;
}
