// Tells whether all that `npm ci` had against package-lock.json is that it has no entry for some optional packages.
//
//   node only-optional-missing.mjs NPM-LOG     exit status 0: nothing else is wrong
//
// npm writes no entry for an optional package (a build for another platform, mostly) that the registry in use does not
// have, and then refuses its own lock file: "Missing: @biomejs/cli-win32-x64@2.6.8 from lock file". What is locked is
// locked all the same, so the installation may go on with the lock file as it is.
import { readFileSync } from "node:fs";

const lock = JSON.parse(readFileSync("package-lock.json", "utf8"));
const optional = new Set(
  Object.values(lock.packages).flatMap((entry) => Object.keys(entry.optionalDependencies ?? {})),
);

const complaints = readFileSync(process.argv[2], "utf8")
  .split("\n")
  .map((line) => line.replace(/^npm (error|ERR!) ?/, ""))
  .filter((line) => /^(Missing|Invalid): /.test(line));
const isHarmless = (line) => {
  const missing = /^Missing: (@?[^@]+)@\S* from lock file$/.exec(line);
  return missing !== null && optional.has(missing[1]);
};

process.exitCode = complaints.length > 0 && complaints.every(isHarmless) ? 0 : 1;
