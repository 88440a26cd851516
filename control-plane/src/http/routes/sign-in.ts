import {
  CertificateRequest,
  CertificateResponse,
  ChallengeResponse,
  ClientConfiguration,
  RenewalRequest,
  RenewalResponse,
} from "@sallyport/core/messages/client-api.ts";
import { EnrolRequest, EnrolResponse } from "@sallyport/core/messages/enrolment.ts";
import { Trust } from "@sallyport/core/messages/trust.ts";
import { seconds } from "../../environment.ts";
import { enrolHost } from "../../hosts/enrol-host.ts";
import { makeChallenge } from "../../issuance/challenge.ts";
import { issueCertificate } from "../../issuance/issue-certificate.ts";
import { refreshTokenKeeper } from "../../issuance/keep-refresh-token.ts";
import { renewCertificate } from "../../issuance/renew-certificate.ts";
import type { IssuerConfiguration } from "../../issuers/issuer-configuration.ts";
import { hostCaLines, trustDocument } from "../../keys/trust.ts";
import type { Api } from "../api.ts";
import type { Services } from "../services.ts";

/** What a client needs to know of an issuer. Anybody can read it. */
function offeredIssuer(issuer: IssuerConfiguration): ClientConfiguration["issuers"][number] {
  const { clientId, clientSecret, redirectPorts, scope, acrValues, hints, maxAge, domains, name } = issuer;
  const { renewal } = issuer;
  return {
    ...{ issuer: issuer.issuer, clientId, clientSecret, redirectPorts },
    ...{ scope, acrValues, hints, maxAge, domains, name, renewal },
    refreshTokenKeeper: refreshTokenKeeper(issuer),
  };
}

/** Routes that need no sign-in: what a client or a host does first. */
export function signInRoutes(api: Api, services: Services): void {
  const { config, keys, environment } = services;

  api.add(
    {
      method: "get",
      path: "/client-configuration",
      access: "public",
      summary: "Where to sign in, and whom to trust as a host",
      answer: { status: 200, schema: ClientConfiguration, description: "Issuers and host CA keys." },
    },
    (): ClientConfiguration => ({
      v: 1,
      issuers: config.issuers.map(offeredIssuer),
      hostCaKeys: hostCaLines(keys),
      now: seconds(environment.clock),
    }),
  );

  api.add(
    {
      method: "get",
      path: "/trust",
      access: "public",
      summary: "What a host pins when it enrols",
      answer: {
        status: 200,
        schema: Trust,
        description: "Keys and issuers; its hash is in every join token.",
      },
    },
    () => trustDocument(config, keys),
  );

  api.add(
    {
      method: "post",
      path: "/challenges",
      access: "public",
      limited: true,
      summary: "A challenge to sign, good once, for 10 minutes",
      answer: { status: 201, schema: ChallengeResponse, description: "The challenge." },
    },
    async () => ({ challenge: await makeChallenge(services) }),
  );

  api.add(
    {
      method: "post",
      path: "/certificates",
      access: "public",
      limited: true,
      summary: "Sign in with an ID token, and have an SSH key certified",
      body: CertificateRequest,
      answer: {
        status: 201,
        schema: CertificateResponse,
        description: "The certificate and a token for this API.",
      },
      errors: [
        "challenge-unknown",
        "token-invalid",
        "issuer-unknown",
        "issuer-unreachable",
        "binding-invalid",
        "proof-invalid",
        "not-invited",
        "forbidden",
      ],
    },
    ({ body, address }) => issueCertificate(services, body, address),
  );

  api.add(
    {
      method: "post",
      path: "/certificates/renew",
      access: "public",
      limited: true,
      summary: "Renew the certificate of a sign-in while its IdP vouches for the person",
      body: RenewalRequest,
      answer: { status: 201, schema: RenewalResponse, description: "A certificate for the same key." },
      errors: [
        "challenge-unknown",
        "token-invalid",
        "issuer-unreachable",
        "binding-invalid",
        "proof-invalid",
        "not-invited",
        "no-longer-vouched",
        "forbidden",
        "conflict",
      ],
    },
    ({ body, address }) => renewCertificate(services, body, address),
  );

  api.add(
    {
      method: "post",
      path: "/hosts",
      access: "public",
      limited: true,
      summary: "Enrol a host with a join token",
      body: EnrolRequest,
      answer: {
        status: 201,
        schema: EnrolResponse,
        description: "Its id, what to trust, and its host certificates.",
      },
      errors: ["unauthenticated", "conflict", "ssh-malformed", "ssh-unsupported"],
    },
    ({ body }) =>
      enrolHost({ ...services, disconnect: (hostId: string) => services.hosts.disconnect(hostId) }, body),
  );
}
