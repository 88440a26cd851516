import { execFileSync } from "node:child_process";
import { join } from "node:path";

/** A key and a self-signed certificate for `localhost`, made by openssl; files of that name in `directory`. */
export function selfSigned(directory: string, name: string): { key: string; cert: string } {
  const [key, cert] = [join(directory, `${name}.key`), join(directory, `${name}.pem`)];
  execFileSync(
    "openssl",
    ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
      .concat(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
      .concat(["-keyout", key, "-out", cert]),
    { stdio: "ignore" },
  );
  return { key, cert };
}
