import type { RefusalCode } from "@sallyport/core/policy/refusal.ts";

/** What a refusal means, in plain words, and what to do next. */
export interface Explanation {
  what: string;
  next: string;
}

const SIGN_IN_AGAIN = "Run sallyport login and try again; if it comes back, tell whoever runs Sallyport.";
const TELL_OPERATOR =
  "This is nothing that you can put right: tell whoever runs Sallyport, with the time and the host.";
const ASK_CONTACT = "Ask the contact of the engagement; sallyport status names them.";

const EXPLANATIONS: Record<RefusalCode, Explanation> = {
  "certificate-malformed": { what: "The host could not read your certificate.", next: SIGN_IN_AGAIN },
  "certificate-type": { what: "What ssh offered is no user certificate.", next: SIGN_IN_AGAIN },
  "certificate-options": {
    what: "Your certificate has an option that the host does not know.",
    next: TELL_OPERATOR,
  },
  "certificate-principals": { what: "Your certificate names no account, or too much.", next: SIGN_IN_AGAIN },
  "certificate-authority": {
    what: "Your certificate was signed by a CA that the host does not trust.",
    next: "Check that you are signed in to the control plane that the host belongs to: sallyport status",
  },
  "certificate-validity": {
    what: "Your certificate had expired, or was not valid yet.",
    next: "Run sallyport login; if that does not help, a clock is wrong.",
  },
  "token-missing": { what: "Your certificate carries no ID token.", next: SIGN_IN_AGAIN },
  "token-malformed": {
    what: "The host could not read the ID token in your certificate.",
    next: SIGN_IN_AGAIN,
  },
  "token-issuer": {
    what: "You signed in with an identity provider that the host does not accept.",
    next: "Sign in with another one: sallyport login --issuer URL",
  },
  "token-algorithm": {
    what: "Your ID token is signed in a way that the host does not accept.",
    next: TELL_OPERATOR,
  },
  "token-key-unknown": {
    what: "The host does not know the key that your identity provider signed with.",
    next: "Try again in a minute: the host is fetching the provider's keys. If it comes back, tell whoever runs Sallyport.",
  },
  "token-signature": { what: "The signature of your ID token does not hold.", next: SIGN_IN_AGAIN },
  "token-audience": { what: "Your ID token was made for another application.", next: SIGN_IN_AGAIN },
  "token-tenant": {
    what: "Your ID token is of another organisation than the host accepts from that identity provider.",
    next: "Sign in with your account at the organisation that you work for: sallyport login --force",
  },
  "token-expired": { what: "Your ID token had expired.", next: "Run sallyport login and try again." },
  "token-not-yet-valid": {
    what: "Your ID token was not valid yet by the host's clock.",
    next: "Try again in a minute; if it comes back, the host's clock is wrong: tell whoever runs Sallyport.",
  },
  "token-too-old": {
    what: "Your sign-in is older than the host accepts.",
    next: "Run sallyport login and try again.",
  },
  "sign-in-too-old": {
    what: "You signed in longer ago than the host accepts.",
    next: "Run sallyport login and try again.",
  },
  "binding-missing": {
    what: "Your certificate does not say which key you signed in for.",
    next: SIGN_IN_AGAIN,
  },
  "binding-malformed": {
    what: "The host could not read the key binding in your certificate.",
    next: SIGN_IN_AGAIN,
  },
  "nonce-mismatch": {
    what: "Your ID token was made for another key than the one in your certificate.",
    next: SIGN_IN_AGAIN,
  },
  "binding-key-mismatch": {
    what: "Your certificate is for another key than the one you signed in for.",
    next: SIGN_IN_AGAIN,
  },
  "renewal-mismatch": {
    what: "Your certificate was renewed with an ID token that does not belong to your sign-in.",
    next: SIGN_IN_AGAIN,
  },
  "policy-missing": { what: "The host has no policy yet.", next: TELL_OPERATOR },
  "assurance-too-low": {
    what: "The engagement asks for a sign-in that is bound to your SSH key, and a device sign-in is not.",
    next: "Run sallyport login without --device, on a machine that has a browser.",
  },
  "mfa-required": {
    what: "The engagement asks for a stronger sign-in than yours.",
    next: "Run sallyport login --force and use your second factor; set one up with your identity provider if you have none.",
  },
  "mfa-too-old": {
    what: "The engagement asks for a more recent sign-in.",
    next: "Run sallyport login --force and prove who you are anew.",
  },
  "not-a-member": { what: "You are a member of no engagement on this host.", next: ASK_CONTACT },
  "engagement-ended": { what: "Your engagement has ended.", next: ASK_CONTACT },
  "engagement-not-started": {
    what: "Your engagement has not started yet.",
    next: "Wait for its start, which sallyport status shows, or ask its contact.",
  },
  "outside-hours": {
    what: "The engagement gives access at certain hours only, and this was not one of them.",
    next: ASK_CONTACT,
  },
  "source-address": {
    what: "The engagement gives access from certain networks only, and you came from another one.",
    next: "Connect to the VPN or network agreed on, or ask the contact of the engagement.",
  },
  "host-not-granted": {
    what: "Your engagement does not include this host.",
    next: "sallyport hosts lists those that it does.",
  },
  "account-not-granted": {
    what: "Your engagement does not include this account.",
    next: "sallyport hosts lists the accounts; name one as in: ssh ACCOUNT@HOST",
  },
  "approval-missing": {
    what: "The engagement lets you in only once somebody has approved it.",
    next: "Ask for it: sallyport request ENGAGEMENT --reason …; sallyport status names the engagement.",
  },
  revoked: { what: "Your access was revoked.", next: ASK_CONTACT },
  "idp-silent": {
    what: "Your identity provider has not answered for too long, so nobody knows whether you may still be here.",
    next: "Try again when it is back; if it seems to be, tell whoever runs Sallyport.",
  },
  "lease-expired": {
    what: "The host has not heard from the control plane for too long and admits nobody.",
    next: "Try again in a few minutes; if it comes back, tell whoever runs Sallyport.",
  },
  "recorder-unavailable": {
    what: "The host cannot record sessions at the moment, and admits nobody unrecorded.",
    next: "Try again in a minute; if it comes back, tell whoever runs Sallyport.",
  },
  "spool-full": {
    what: "The host has no room for recordings, and admits nobody unrecorded.",
    next: TELL_OPERATOR,
  },
  "account-unsafe": {
    what: "The account would run something before the recording begins.",
    next: TELL_OPERATOR,
  },
  "too-many-sessions": {
    what: "You have as many sessions on this host as the engagement allows at a time.",
    next: "End one of them, then try again; sallyport sessions lists them.",
  },
  "local-policy": {
    what: "The host's own policy allows less than your engagement.",
    next: "Ask the host's administrators; the engagement's contact knows who they are.",
  },
  "mode-not-allowed": {
    what: "The host's own policy does not allow what your engagement gives there: a shell, single commands or the moving of files.",
    next: "Ask the host's administrators; the engagement's contact knows who they are.",
  },
  "clock-set-back": {
    what: "The host's clock went back, so it cannot tell what has expired, and admits nobody.",
    next: TELL_OPERATOR,
  },
};

/** Explains a refusal code; undefined for one that is newer than this program. */
export function explanationOf(code: string): Explanation | undefined {
  return Object.hasOwn(EXPLANATIONS, code) ? EXPLANATIONS[code as RefusalCode] : undefined;
}
