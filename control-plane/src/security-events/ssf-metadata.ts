import { SallyportError } from "@sallyport/core/errors.ts";
import { z } from "zod";
import { callTransmitter, namedUrl } from "./call-transmitter.ts";

const Metadata = z.looseObject({
  issuer: z.string().max(2000),
  jwks_uri: z.string().max(2000).optional(),
  configuration_endpoint: z.string().max(2000).optional(),
  status_endpoint: z.string().max(2000).optional(),
  verification_endpoint: z.string().max(2000).optional(),
  add_subject_endpoint: z.string().max(2000).optional(),
  default_subjects: z.string().max(20).optional(),
});

/** A transmitter's metadata (SSF 1.0 §7.1), its addresses checked. */
export interface SsfMetadata {
  jwksUri: string | undefined;
  configurationEndpoint: string | undefined;
  statusEndpoint: string | undefined;
  verificationEndpoint: string | undefined;
  addSubjectEndpoint: string | undefined;
  /** `NONE`: it tells of nobody who was not added. */
  defaultSubjects: string | undefined;
}

/** Where the metadata of a transmitter are: the well-known part stands before the issuer's path (SSF 1.0 §7.2.1). */
export function ssfConfigurationUrl(iss: string): string {
  const url = new URL(iss);
  const path = url.pathname.replace(/\/+$/, "");
  return `${url.origin}/.well-known/ssf-configuration${path}`;
}

/**
 * Fetches a transmitter's metadata; undefined where it has none (4xx). Code `issuer-unreachable`, also where they are of
 * another issuer.
 */
export async function fetchSsfMetadata(iss: string): Promise<SsfMetadata | undefined> {
  const url = ssfConfigurationUrl(iss);
  const { status, json } = await callTransmitter({ method: "GET", url });
  if (status >= 400 && status < 500 && status !== 429) return undefined;
  const { success, data } = Metadata.safeParse(json);
  if (status !== 200 || !success)
    throw new SallyportError(
      "issuer-unreachable",
      `${new URL(url).host} answered ${status} without SSF metadata.`,
    );
  if (data.issuer !== iss)
    throw new SallyportError("issuer-unreachable", `The SSF metadata at ${url} are of another issuer.`);
  const address = (value: string | undefined) => (value === undefined ? undefined : namedUrl(value, iss));
  return {
    jwksUri: address(data.jwks_uri),
    configurationEndpoint: address(data.configuration_endpoint),
    statusEndpoint: address(data.status_endpoint),
    verificationEndpoint: address(data.verification_endpoint),
    addSubjectEndpoint: address(data.add_subject_endpoint),
    defaultSubjects: data.default_subjects,
  };
}
