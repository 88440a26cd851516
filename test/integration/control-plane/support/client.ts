import { generateKeyPairSync, type KeyObject, randomBytes } from "node:crypto";
import {
  type Binding,
  bindingNonce,
  makeBinding,
  proofOfPossession,
  SshJwk,
} from "@sallyport/core/binding.ts";
import { CertificateResponse } from "@sallyport/core/messages/client-api.ts";
import { sshKeyToJwk } from "@sallyport/core/ssh/jwk.ts";
import { publicKeyFromKeyObject } from "@sallyport/core/ssh/public-key.ts";
import { signSsh } from "@sallyport/core/ssh/signature.ts";
import { type Browser, signInAtIdp } from "./sign-in.ts";

/** An answer of the API: its status, and its body as JSON or text. */
export interface Answer {
  status: number;
  headers: Headers;
  body: unknown;
  /** The code of an error answer. */
  code: string | undefined;
  message: string;
}

/** Calls the API; `base` is what stands in front of `path`. */
export async function call(
  url: string,
  method: string,
  path: string,
  options: { token?: string; body?: unknown; base?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const response = await fetch(`${url}${options.base ?? "/api/v1"}${path}`, {
    method,
    headers: {
      ...options.headers,
      ...(options.token === undefined ? {} : { authorization: `Bearer ${options.token}` }),
      ...(options.body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(options.body === undefined
      ? {}
      : { body: typeof options.body === "string" ? options.body : JSON.stringify(options.body) }),
  });
  const text = await response.text();
  const body: unknown = response.headers.get("content-type")?.startsWith("application/json")
    ? JSON.parse(text)
    : text;
  const error = (body as { error?: { code: string; message: string } } | null)?.error;
  return {
    status: response.status,
    headers: response.headers,
    body,
    code: error?.code,
    message: error?.message ?? "",
  };
}

/** A fresh SSH key with its binding. */
export interface ClientKey {
  privateKey: KeyObject;
  binding: Binding;
  nonce: string;
}

export function makeClientKey(): ClientKey {
  const { privateKey } = generateKeyPairSync("ed25519");
  const upk = SshJwk.parse(sshKeyToJwk(publicKeyFromKeyObject(privateKey)));
  const binding = makeBinding(upk, randomBytes(32));
  return { privateKey, binding, nonce: bindingNonce(binding) };
}

/** A fresh challenge. */
export async function challenge(url: string): Promise<string> {
  const { body } = await call(url, "POST", "/challenges", { body: {} });
  return (body as { challenge: string }).challenge;
}

/** The body of `POST /certificates`. */
export function certificateRequest(key: ClientKey, idToken: string, challenge: string) {
  const proof = Buffer.from(
    signSsh(key.privateKey, proofOfPossession(key.binding, idToken, challenge)),
  ).toString("base64");
  return { v: 1, idToken, binding: key.binding, challenge, proof };
}

/** Signs in at the IdP and here, and returns the answer with its token and certificate. */
export async function signIn(
  url: string,
  issuer: string,
  sub: string,
  browser?: Browser,
): Promise<CertificateResponse & { key: ClientKey }> {
  const key = makeClientKey();
  const idToken = await signInAtIdp(issuer, sub, key.nonce, "sallyport-cli", browser);
  const answer = await call(url, "POST", "/certificates", {
    body: certificateRequest(key, idToken, await challenge(url)),
  });
  if (answer.status !== 201)
    throw new Error(`sign-in failed: ${answer.status} ${answer.code} ${answer.message}`);
  return { ...CertificateResponse.parse(answer.body), key };
}
