import type { Command } from "commander";
import type { Context } from "../context.ts";
import { examples } from "./command.ts";
import { registerPolicyExplain } from "./policy-explain.ts";
import { registerPolicyLint } from "./policy-lint.ts";
import { registerPolicyTest } from "./policy-test.ts";

/** `sallyport policy`: what a policy file lets people do, before it is applied and without a server. */
export function registerPolicy(program: Command, context: Context, onStatus: (status: number) => void): void {
  const policy = program
    .command("policy")
    .summary("check and try a policy file, without a server")
    .description(
      "Look at a policy file before it is applied: what is dangerous in it, whether somebody could run something, and what it says in " +
        "words. Nothing is sent anywhere.",
    )
    .addHelpText(
      "after",
      examples(
        "sallyport policy lint policy.yaml",
        "sallyport policy test policy.yaml --member alice@acme.example --host web-1 --account deploy -- 'systemctl restart nginx'",
        "sallyport policy explain policy.yaml --member alice@acme.example",
      ),
    );
  registerPolicyLint(policy, context, onStatus);
  registerPolicyTest(policy, context, onStatus);
  registerPolicyExplain(policy, context);
}
