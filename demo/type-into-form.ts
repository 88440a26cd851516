/*
 * Stands in for a browser where the machine has none: signs one of the demo's people in by filling in the IdP's forms.
 * The programs that typing-browsers.ts writes run it as `type-into-form.ts DIR NAME URL`.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DEMO_CODE } from "./identity-provider.ts";
import { signInByForm } from "./sign-in-by-form.ts";

const [directory = ".demo", name = "", url = ""] = process.argv.slice(2);
const demo = JSON.parse(readFileSync(join(directory, "demo.json"), "utf8")) as {
  users: { name: string; password: string }[];
};
const user = demo.users.find((each) => each.name === name);
if (!user || !URL.canParse(url)) {
  console.error("usage: node demo/type-into-form.ts DIR NAME URL");
  process.exitCode = 2;
} else {
  const outcome = await signInByForm(url, { username: name, password: user.password, code: DEMO_CODE });
  if (outcome.status >= 400) process.exitCode = 1;
}
