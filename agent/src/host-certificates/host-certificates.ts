import { existsSync, readFileSync, rmSync } from "node:fs";
import { SallyportError } from "@sallyport/core/errors.ts";
import type { Trust } from "@sallyport/core/messages/trust.ts";
import {
  parseCertificateLine,
  type SshCertificate,
  verifyCertificateSignature,
} from "@sallyport/core/ssh/certificate.ts";
import { parsePublicKeyLine } from "@sallyport/core/ssh/public-key.ts";
import { writeFileDurably } from "@sallyport/uplink/spool/durable.ts";
import { askSshd, certificatesIn } from "../enrolment/sshd-drop-in.ts";
import { reloadSshd } from "./reload-sshd.ts";

interface Needs {
  dropIn: string;
  sshd: string;
  hostName: string;
  /** What is pinned now. */
  trust(): Trust;
  /** Seconds since the epoch. */
  now(): number;
}

/** One of sshd's host keys that we keep a certificate for. */
export interface HostKeyFiles {
  path: string;
  key: string;
  certificate: string | null;
}

/** The host certificates that our drop-in names: an operator's own are not touched. */
export class HostCertificates {
  readonly #needs: Needs;

  constructor(needs: Needs) {
    this.#needs = needs;
  }

  /** What is there, as lines of the files without comments. A key that is gone, or is none, is left out. */
  held(): HostKeyFiles[] {
    return certificatesIn(this.#needs.dropIn).flatMap((path) => {
      const key = readLine(path.replace(/-cert\.pub$/, ".pub"), parsePublicKeyLine);
      return key === null ? [] : [{ path, key, certificate: readLine(path, parseCertificateLine) }];
    });
  }

  /**
   * Puts new certificates in place and has sshd read them; running connections go on. Returns the files that were written.
   * Codes `trust-mismatch` for a certificate that is not for this host from its host CA, `config-invalid` when sshd refuses
   * its configuration then: all is as it was before.
   */
  install(lines: readonly string[]): string[] {
    const held = this.held();
    const wanted = lines.map((line) => ({ line, path: this.#pathFor(parseCertificateLine(line), held) }));
    const before = wanted.map(({ path }) => ({ path, text: existsSync(path) ? readFileSync(path) : null }));
    try {
      for (const { path, line } of wanted) writeFileDurably(path, `${line}\n`, 0o644);
      askSshd(this.#needs.sshd);
    } catch (error) {
      for (const { path, text } of before) {
        if (text === null) rmSync(path, { force: true });
        else writeFileDurably(path, text, 0o644);
      }
      throw error;
    }
    // It reads them when it starts, and on SIGHUP.
    reloadSshd(this.#needs.sshd);
    return wanted.map(({ path }) => path);
  }

  /** The file of the key that this certificate is for, when it is one to believe. */
  #pathFor(certificate: SshCertificate, held: readonly HostKeyFiles[]): string {
    const { trust, hostName, now } = this.#needs;
    const isFor = ({ key }: HostKeyFiles) => isSame(parsePublicKeyLine(key).blob, certificate.publicKey.blob);
    const file = held.find(isFor);
    if (file === undefined) throw refuse("it is for none of sshd's host keys");
    if (certificate.certType !== "host") throw refuse("it is no host certificate");
    const cas = trust().hostCaKeys.map((line) => parsePublicKeyLine(line).blob);
    if (!cas.some((ca) => isSame(ca, certificate.signatureKey.blob)))
      throw refuse("it is of a CA that is not trusted here");
    verifyCertificateSignature(certificate);
    if (!certificate.validPrincipals.includes(hostName)) throw refuse(`it does not name ${hostName}`);
    if (certificate.validBefore <= now()) throw refuse("it is over");
    return file.path;
  }
}

function readLine(path: string, parse: (line: string) => unknown): string | null {
  try {
    const text = readFileSync(path, "utf8").trim();
    parse(text);
    return text.split(" ", 2).join(" ");
  } catch {
    return null;
  }
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

function refuse(why: string): SallyportError {
  return new SallyportError("trust-mismatch", `A host certificate is refused: ${why}.`);
}
