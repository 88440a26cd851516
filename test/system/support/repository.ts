import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { run } from "../../../packaging/build/run.ts";

/**
 * An apt repository in `directory`, with one package in it and signed with a key of its own, which is in the file `key`. As a source:
 * URIs `file:DIRECTORY`, Suites `./`. Removed when this process ends.
 */
export function aptRepository(packageFile: string): { directory: string; key: string } {
  const directory = mkdtempSync(join(tmpdir(), "sallyport-apt-"));
  process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
  chmodSync(directory, 0o755); // apt reads as a user of its own
  const name = basename(packageFile);
  copyFileSync(packageFile, join(directory, name));
  const packages = [
    run("dpkg-deb", ["--field", packageFile]).trim(),
    `Filename: ./${name}`,
    `Size: ${readFileSync(packageFile).length}`,
    `SHA256: ${sha256(readFileSync(packageFile))}`,
    "",
  ].join("\n");
  writeFileSync(join(directory, "Packages"), packages);
  const release = [
    "Suite: ./",
    `Date: ${new Date().toUTCString()}`,
    "SHA256:",
    ` ${sha256(Buffer.from(packages))} ${packages.length} Packages`,
    "",
  ].join("\n");
  return { directory, key: sign(directory, release) };
}

function sign(directory: string, release: string): string {
  const home = join(directory, "gnupg");
  mkdirSync(home, { mode: 0o700 });
  const gpg = (...args: string[]) => run("gpg", ["--batch", "--quiet", "--homedir", home, ...args]);
  try {
    gpg("--passphrase", "", "--quick-generate-key", "repository@example.test", "rsa3072", "sign");
    const [key, unsigned] = [join(directory, "key.asc"), join(directory, "Release")];
    gpg("--armor", "--output", key, "--export");
    writeFileSync(unsigned, release);
    gpg("--clearsign", "--output", join(directory, "InRelease"), unsigned);
    return key;
  } finally {
    run("gpgconf", ["--homedir", home, "--kill", "gpg-agent"]);
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
