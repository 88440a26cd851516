import { readYaml } from "@sallyport/core/yaml/read-yaml.ts";
import { stringify } from "yaml";
import { z } from "zod";
import { readConfigFile } from "../config/load-configuration.ts";
import { isLoopback } from "../config/loopback.ts";

const Answer = z
  .union([z.string().max(2000), z.number(), z.boolean()])
  // YAML takes `yes` for text and `true` for no text.
  .transform((value) => (typeof value === "boolean" ? (value ? "yes" : "no") : String(value)))
  .optional();

/** What setup is told, by the keys of an answers file; all as text. */
const Answers = z.strictObject({
  url: Answer,
  tls: Answer,
  certFile: Answer,
  keyFile: Answer,
  address: Answer,
  port: Answer,
  proxyNetwork: Answer,
  dataDirectory: Answer,
  preset: Answer,
  issuer: Answer,
  issuerName: Answer,
  clientId: Answer,
  clientSecret: Answer,
  workspaceDomain: Answer,
  admin: Answer,
  tryIssuer: Answer,
  start: Answer,
});
export type Answers = z.output<typeof Answers>;

/** Reads an answers file. Codes `config-missing`, `config-invalid`, as for the configuration itself. */
export function readAnswers(file: string): Answers {
  return readYaml(readConfigFile(file), file, Answers).value;
}

/** The configuration that answers make, as it is written; not checked. */
export function configurationOf(answers: Answers): Record<string, unknown> {
  const { url, tls, certFile, keyFile, port, proxyNetwork, dataDirectory } = answers;
  const address = tls === "loopback" ? "127.0.0.1" : (answers.address ?? "");
  const isOpenProxy = tls === "proxy" && !isLoopback(address);
  return {
    version: 1,
    url,
    listen: {
      address,
      port: Number(port || Number.NaN),
      ...(isOpenProxy && { plainHttp: "a-proxy-does-tls" }),
    },
    ...(tls === "own" && { tls: { certFile, keyFile } }),
    ...(tls === "proxy" && { trustedProxies: [proxyNetwork] }),
    dataDirectory,
    issuers: [issuerOf(answers)],
    staff: [{ email: answers.admin, role: "admin" }],
  };
}

function issuerOf({ preset, issuerName, issuer, clientId, clientSecret, workspaceDomain }: Answers): object {
  return {
    preset,
    name: issuerName,
    issuer,
    clientId,
    ...(preset === "google" && {
      clientSecret,
      ...(workspaceDomain !== undefined && { requiredClaims: { hd: [workspaceDomain] } }),
    }),
  };
}

/** The text of the configuration file that answers make. */
export function configurationText(answers: Answers): string {
  return [
    "# The control plane of Sallyport; its keys: sallyport-control-plane(8).",
    "# After a change: sallyport-control-plane check-config && systemctl restart sallyport-control-plane",
    "# Hosts pin what stands under url and issuers when they are enrolled.",
    stringify(configurationOf(answers)),
  ].join("\n");
}
