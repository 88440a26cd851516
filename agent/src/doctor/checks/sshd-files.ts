import { existsSync } from "node:fs";
import { basename, dirname } from "node:path";
import { keyFiles, sshdSettings } from "../../enrolment/sshd-drop-in.ts";
import { check, error, type Found, ok, warning } from "../check.ts";
import { type ConfigLine, mainConfigFile, readConfigLines } from "../sshd-config-lines.ts";

/** Does sshd read our drop-in, for everybody, and before anything else of the same keywords? The first value counts. */
export const sshdFilesCheck = check("sshd-files", ({ config }) => {
  const main = mainConfigFile(config.sshdDropIn);
  if (!existsSync(config.sshdDropIn)) return [noDropIn(config.sshdDropIn)];
  const lines = readConfigLines(main);
  const first = lines.findIndex(({ file }) => file === config.sshdDropIn);
  if (first === -1) return [notIncluded(main, config.sshdDropIn)];
  const include = lines
    .slice(0, first)
    .findLast(({ keyword, file }) => keyword === "include" && file !== config.sshdDropIn);
  if (include?.conditional) return [conditional(include)];
  const wanted = new Map(
    sshdSettings(keyFiles(config), config).map(([keyword, value]) => [keyword.toLowerCase(), value]),
  );
  const before = lines.slice(0, first).filter(({ keyword, value }) => {
    return wanted.has(keyword) && wanted.get(keyword) !== value;
  });
  if (before.length > 0) return before.map((line) => earlier(line, config.sshdDropIn));
  return [ok(`${main} includes ${config.sshdDropIn}, before anything that would win over it`)];
});

function noDropIn(dropIn: string): Found {
  return error(
    `sshd's drop-in ${dropIn} is missing`,
    "sshd knows nothing of Sallyport: contractors' certificates open nothing, and their accounts are not guarded.",
    "sallyport-agent leave --force && sallyport-agent enroll --token-file FILE",
  );
}

function notIncluded(main: string, dropIn: string): Found {
  const pattern = `${dirname(dropIn)}/*.conf`;
  return error(
    `${main} does not include ${dropIn}`,
    "sshd knows nothing of Sallyport: contractors' certificates open nothing, and their accounts are not guarded.",
    `sed -i '1i Include ${pattern}' ${main} && sshd -t && systemctl reload ssh`,
  );
}

function conditional({ file, number }: ConfigLine): Found {
  return error(
    `the Include of Sallyport's drop-in stands in a Match block (${file}:${number})`,
    "It is then read only for those whom that Match means: other contractors' accounts are not guarded.",
    `Move the Include line to the top of ${file}; then: sshd -t && systemctl reload ssh`,
  );
}

function earlier({ file, number, keyword, value, conditional: some }: ConfigLine, dropIn: string): Found {
  const what = `${file}:${number} sets ${keyword} "${value}" before Sallyport's drop-in is read`;
  const place = `Move that line to a file that sorts after ${basename(dropIn)}, or below the Include; then: sshd -t && systemctl reload ssh`;
  return some
    ? warning(what, "For whom that Match means, it wins over Sallyport's setting.", place)
    : error(what, "sshd takes the first value of a keyword, so it wins over Sallyport's setting.", place);
}
