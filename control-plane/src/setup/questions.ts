import { Configuration } from "../config/configuration.ts";
import { isLoopback } from "../config/loopback.ts";
import { PRESET_NAMES, type PresetName } from "../issuers/presets.ts";
import { type Answers, configurationOf } from "./answers.ts";

/** One question of `setup`. */
export interface Question {
  key: keyof Answers;
  /** As it is asked. */
  text: string;
  /** Why, in one line. */
  why: string;
  choices?: readonly string[];
  /** Where the answer goes in the configuration; what its schema says of that place is said at once. */
  path?: readonly (string | number)[];
  /** False where it does not arise. */
  arises?(answers: Answers): boolean;
  /** Undefined where somebody has to know. */
  usual?(answers: Answers, machine: Machine): string | undefined;
}

/** What is known of where setup runs. */
export interface Machine {
  hostname: string;
}

const NAMES: Record<PresetName, string> = {
  generic: "Company",
  okta: "Okta",
  entra: "Entra ID",
  google: "Google",
  keycloak: "Keycloak",
  auth0: "Auth0",
};

const EXAMPLES: Record<PresetName, string> = {
  generic: "https://idp.example.com, exactly as in its tokens' iss",
  okta: "https://ORG.okta.com, without -admin and without a slash at the end",
  entra: "https://login.microsoftonline.com/TENANT-ID/v2.0",
  google: "https://accounts.google.com",
  keycloak: "https://HOST/realms/REALM",
  auth0: "https://TENANT.auth0.com/, with the slash at the end",
};

/** The questions in their order: each may look at the answers before. */
export const QUESTIONS: readonly Question[] = [
  {
    key: "url",
    text: "URL under which hosts and contractors reach this server",
    why: "Hosts pin it, so take a name that stays. To try it on this machine alone: http://127.0.0.1:7300",
    path: ["url"],
    usual: (_, { hostname }) => `https://${hostname}`,
  },
  {
    key: "tls",
    text: "Who does TLS",
    why: "own: this server, with certificate files; proxy: a proxy in front of it; loopback: nobody, for this machine alone",
    choices: ["own", "proxy", "loopback"],
    usual: ({ url = "" }) => (url.startsWith("http:") ? "loopback" : "own"),
  },
  {
    key: "certFile",
    text: "Certificate with its chain (PEM)",
    why: "The service's user has to be able to read it; a new one is taken within a minute.",
    path: ["tls", "certFile"],
    arises: ({ tls }) => tls === "own",
    usual: () => "/etc/sallyport/tls/cert.pem",
  },
  {
    key: "keyFile",
    text: "Its private key (PEM)",
    why: "The service's user has to be able to read it, and nobody else but root.",
    path: ["tls", "keyFile"],
    arises: ({ tls }) => tls === "own",
    usual: () => "/etc/sallyport/tls/key.pem",
  },
  {
    key: "address",
    text: "Address to listen on",
    why: "0.0.0.0 or :: for all of this machine's; a proxy on this machine reaches 127.0.0.1.",
    path: ["listen", "address"],
    arises: ({ tls }) => tls !== "loopback",
    usual: ({ tls }) => (tls === "own" ? "0.0.0.0" : "127.0.0.1"),
  },
  {
    key: "port",
    text: "TCP port to listen on",
    why: "Hosts keep one connection to it open, contractors use it to sign in.",
    path: ["listen", "port"],
    usual: ({ tls, url = "" }) => (tls === "proxy" ? "7300" : portOf(url)),
  },
  {
    key: "proxyNetwork",
    text: "Network that the proxy's connections come from (CIDR)",
    why: "Only from there X-Forwarded-For counts. Whoever else reaches the port reads and takes tokens: let only the proxy through.",
    path: ["trustedProxies"],
    arises: ({ tls }) => tls === "proxy",
    usual: ({ address = "" }) => (isLoopback(address) ? "127.0.0.0/8" : undefined),
  },
  {
    key: "dataDirectory",
    text: "Directory for keys, database and recordings",
    why: "Losing it loses all evidence; whoever reads it can sign certificates. The service may write to this one.",
    path: ["dataDirectory"],
    usual: () => "/var/lib/sallyport-control-plane",
  },
  {
    key: "preset",
    text: "Identity provider",
    why: "Fills in what is known of it and refuses its traps; docs/idp has a page for each.",
    choices: PRESET_NAMES,
    usual: () => "generic",
  },
  {
    key: "issuer",
    text: "Its issuer",
    why: "", // by preset, see whyOf
    path: ["issuers", 0, "issuer"],
    usual: ({ preset }) => (preset === "google" ? "https://accounts.google.com" : undefined),
  },
  {
    key: "issuerName",
    text: "Its name, as people choose it",
    why: "People see it when there is more than one to sign in at.",
    path: ["issuers", 0, "name"],
    usual: ({ preset }) => NAMES[(preset ?? "generic") as PresetName],
  },
  {
    key: "clientId",
    text: "Client id of the command line there",
    why: "A public (native) client with the redirect http://127.0.0.1/callback. Never a web application's.",
    path: ["issuers", 0, "clientId"],
    usual: () => "sallyport-cli",
  },
  {
    key: "clientSecret",
    text: "Client secret of that desktop client",
    why: "Google wants one of native clients as well. It is handed to everybody: never a web client's.",
    path: ["issuers", 0, "clientSecret"],
    arises: ({ preset }) => preset === "google",
  },
  {
    key: "workspaceDomain",
    text: "Your Google Workspace's domain",
    why: "Google signs in everybody: only accounts of this domain count.",
    path: ["issuers", 0, "requiredClaims"],
    arises: ({ preset }) => preset === "google",
  },
  {
    key: "admin",
    text: "E-mail of the first admin",
    why: "Whoever first signs in with it, verified by the identity provider, is admin from then on.",
    path: ["staff", 0, "email"],
  },
  {
    key: "tryIssuer",
    text: "Ask the identity provider now whether it is there",
    why: "Fetches its discovery document and keys, as the service will. Nothing is written when it does not answer.",
    choices: ["yes", "no"],
    usual: () => "yes",
  },
];

/** The question about what comes after the configuration. */
export const START: Question = {
  key: "start",
  text: "Start the service now, and at every boot",
  why: "systemctl enable --now sallyport-control-plane",
  choices: ["yes", "no"],
  usual: () => "yes",
};

/** The question when the identity provider has not answered. */
export const TRY_AGAIN: Question = {
  key: "tryIssuer",
  text: "Ask it again",
  why: "no: write the configuration all the same. Nobody can sign in before the identity provider answers.",
  choices: ["yes", "no"],
  usual: () => "yes",
};

/** Why a question is asked, with what was answered before. */
export function whyOf({ key, why }: Question, { preset }: Answers): string {
  return key === "issuer" ? `Like ${EXAMPLES[(preset ?? "generic") as PresetName]}` : why;
}

/** What is wrong with an answer, by its choices or what the configuration's schema says of its place; undefined when it is right. */
export function problemWith({ key, choices, path }: Question, answers: Answers): string | undefined {
  const answer = answers[key];
  if (answer === undefined || answer === "") return "it needs an answer";
  if (choices !== undefined && !choices.includes(answer)) return `one of ${choices.join(", ")}`;
  if (path === undefined) return undefined;
  const checked = Configuration.safeParse(configurationOf({ ...PLACEHOLDERS, ...answers }));
  return checked.error?.issues.find((issue) => path.every((part, index) => issue.path[index] === part))
    ?.message;
}

/** In the place of what has not been asked. */
const PLACEHOLDERS: Answers = {
  url: "https://sallyport.example.com",
  tls: "proxy",
  address: "127.0.0.1",
  port: "7300",
  proxyNetwork: "127.0.0.0/8",
  dataDirectory: "/var/lib/sallyport-control-plane",
  preset: "generic",
  issuer: "https://idp.example.com",
  issuerName: "Company",
  clientId: "sallyport-cli",
  admin: "admin@example.com",
};

function portOf(url: string): string {
  if (!URL.canParse(url)) return "443";
  const { port, protocol } = new URL(url);
  return port || (protocol === "https:" ? "443" : "7300");
}
