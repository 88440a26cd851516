import { readFileSync } from "node:fs";

/** The certified key at hand: `key.json`. Checked by hand, because `ensure` reads it before every ssh and has no time for zod. */
export interface KeyState {
  v: 1;
  placement: "agent" | "file";
  /** The private key file, for `file`. */
  file: string | null;
  /** Blobs of the certificate and of the key alone, base64. */
  certificate: string;
  publicKey: string;
  /** Seconds since the epoch. */
  validAfter: number;
  validBefore: number;
  /** What renews the certificate, and from when until when (seconds since the epoch) it is used; null where nothing does. */
  renewal: { file: string; from: number; until: number } | null;
}

/** Reads `key.json`; undefined when it is not there or is not ours, which is as good as having no key. */
export function readKeyState(path: string): KeyState | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    return isKeyState(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isKeyState(value: unknown): value is KeyState {
  if (typeof value !== "object" || value === null) return false;
  const { v, placement, file, certificate, publicKey, validAfter, validBefore, renewal } = value as Partial<
    Record<keyof KeyState, unknown>
  >;
  return (
    v === 1 &&
    ((placement === "agent" && file === null) || (placement === "file" && typeof file === "string")) &&
    typeof certificate === "string" &&
    typeof publicKey === "string" &&
    typeof validAfter === "number" &&
    typeof validBefore === "number" &&
    isRenewal(renewal)
  );
}

function isRenewal(value: unknown): value is KeyState["renewal"] {
  if (typeof value !== "object") return false;
  if (value === null) return true;
  const { file, from, until } = value as Record<string, unknown>;
  return typeof file === "string" && typeof from === "number" && typeof until === "number";
}
