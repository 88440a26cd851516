import { existsSync } from "node:fs";
import { readPinnedTrust } from "../../configuration/pinned-trust.ts";
import { readHostKey } from "../../enrolment/enrol.ts";
import { check, error, type Found, ok } from "../check.ts";

/** Does this host belong to a control plane, and has it its key? */
export const enrolmentCheck = check("enrolment", ({ config, pinned, paths }) => {
  if (pinned === null) return [notEnrolled(config.trustFile)];
  const found = [ok(`this is ${pinned.host.name} of ${pinned.trust.controlPlane}`)];
  try {
    readHostKey(paths.hostKey);
  } catch {
    found.push(
      error(
        `the host's key ${paths.hostKey} cannot be read`,
        "Without it the agent does not start: recordings cannot be signed, and nobody is admitted.",
        "sallyport-agent leave --force && sallyport-agent enroll --token-file FILE",
      ),
    );
  }
  return found;
});

function notEnrolled(trustFile: string): Found {
  const why = "The agent does not know whom to believe, so it does not start, and contractors cannot log in.";
  if (!existsSync(trustFile))
    return error(
      "this host is not enrolled",
      why,
      "sallyport-agent enroll --token-file FILE (the control plane's administrator makes the token)",
    );
  return error(
    `the pinned trust makes no sense: ${complaint(trustFile)}`,
    why,
    "sallyport-agent leave && sallyport-agent enroll --token-file FILE",
  );
}

function complaint(trustFile: string): string {
  try {
    readPinnedTrust(trustFile);
    return trustFile;
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause);
  }
}
