import { LocalPolicy } from "@sallyport/core/policy/local-policy.ts";
import { PolicyFile } from "@sallyport/core/policy/policy-file.ts";
import { type ReadYaml, readYaml } from "@sallyport/core/yaml/read-yaml.ts";
import { z } from "zod";
import { readText } from "../engagements/read-text.ts";

/** A file of policy, as it was read: the central one, or one of a host's `policy.d`. */
export type ReadPolicy = { file: string } & (
  | { kind: "policy"; read: ReadYaml<PolicyFile> }
  | { kind: "local"; read: ReadYaml<LocalPolicy> }
);

/**
 * Reads a policy file of either kind; which one it is its keys say. `-` is standard input. Codes `usage`, and `config-invalid` with
 * file, line and column.
 */
export function readAnyPolicy(name: string): ReadPolicy {
  const { text, file } = readText(name);
  const keys = Object.keys(readYaml(text, file, z.looseObject({})).value);
  const has = (schema: z.ZodObject) =>
    keys.some((key) => key !== "version" && Object.hasOwn(schema.shape, key));
  return !has(PolicyFile.in) && has(LocalPolicy)
    ? { kind: "local", file, read: readYaml(text, file, LocalPolicy) }
    : { kind: "policy", file, read: readYaml(text, file, PolicyFile) };
}

/** The central one. Codes as above. */
export function readPolicyFile(name: string): { file: string; read: ReadYaml<PolicyFile> } {
  const { text, file } = readText(name);
  return { file, read: readYaml(text, file, PolicyFile) };
}

/** One of a host's own. Codes as above. */
export function readLocalPolicyFile(name: string): LocalPolicy {
  const { text, file } = readText(name);
  return readYaml(text, file, LocalPolicy).value;
}
