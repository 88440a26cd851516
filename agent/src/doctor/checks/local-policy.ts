import { check, error, ok } from "../check.ts";

/** The operator's own files in `policy.d`, as the running agent has read them. */
export const localPolicyCheck = check("local-policy", ({ status }) => {
  if (status === null || status.localPolicy === null) return [];
  const { files, errors } = status.localPolicy;
  if (errors.length === 0) return [ok(files.length === 0 ? "none" : `in force: ${files.join(", ")}`)];
  return errors.map((message) =>
    error(
      message,
      "What this file forbids may not be forbidden: the last version that made sense goes on being in force, if there was one.",
      "Mend the file; the agent reads it again by itself",
    ),
  );
});
