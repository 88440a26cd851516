import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Server } from "node:https";
import { createSecureContext } from "node:tls";
import { SallyportError } from "@sallyport/core/errors.ts";
import type { Configuration } from "../config/configuration.ts";
import type { Log } from "../environment.ts";
import { errorFields } from "../log.ts";

type TlsConfiguration = NonNullable<Configuration["tls"]>;

/** How often the files are looked at, in milliseconds. */
const EVERY = 60_000;

/** What TLS is served with. */
export interface TlsMaterial {
  cert: Buffer;
  key: Buffer;
  minVersion: "TLSv1.2";
}

/** Reads certificate and key. Code `config-invalid`, naming the file, when they are not there or do not fit. */
export function readTlsFiles({ certFile, keyFile }: TlsConfiguration): TlsMaterial {
  const material = { cert: read(certFile), key: read(keyFile), minVersion: "TLSv1.2" as const };
  try {
    createSecureContext(material);
    return material;
  } catch (cause) {
    const message = `${certFile} and ${keyFile} are no certificate and key (PEM, without password) that belong together`;
    throw new SallyportError("config-invalid", `${message}.`, { cause });
  }
}

function read(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new SallyportError("config-invalid", `${file} of \`tls\` cannot be read.`, { cause });
  }
}

/** Serves new connections with new files when these change; those that are open go on as they are. */
export class TlsReload {
  readonly #server: Server;
  readonly #tls: TlsConfiguration;
  readonly #log: Log;
  #served: string;
  #timer: NodeJS.Timeout | undefined;

  constructor(server: Server, tls: TlsConfiguration, log: Log, served: TlsMaterial) {
    this.#server = server;
    this.#tls = tls;
    this.#log = log;
    this.#served = digest(served);
  }

  /** Looks at the files every minute: programs that renew certificates replace files and links in many ways. */
  start(): void {
    this.#timer = setInterval(() => this.reload(), EVERY).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Takes the files as they are now. Those that do not fit (half of them written, say) are logged, and the old ones stay. */
  reload(): void {
    try {
      const material = readTlsFiles(this.#tls);
      if (digest(material) === this.#served) return;
      this.#server.setSecureContext(material);
      this.#served = digest(material);
      this.#log.info("new TLS certificate", { file: this.#tls.certFile });
    } catch (error) {
      this.#log.error("TLS files not taken, the old ones stay", errorFields(error));
    }
  }
}

function digest({ cert, key }: TlsMaterial): string {
  return createHash("sha256").update(`${cert.length}\n`).update(cert).update(key).digest("base64");
}
