import assert from "node:assert/strict";
import { brokeredEngagements } from "@sallyport/control-plane/issuance/brokered.ts";
import { checkBinding } from "@sallyport/control-plane/issuance/check-id-token.ts";
import type { VerifiedIdToken } from "@sallyport/core/admission/id-token.ts";
import { bindingNonce, makeBinding } from "@sallyport/core/binding.ts";
import { isSallyportError } from "@sallyport/core/errors.ts";
import { makeEngagement, NOW } from "../core/policy/scenario.ts";

const binding = makeBinding({ kty: "OKP", crv: "Ed25519", x: "A".repeat(43) }, new Uint8Array(32));
const token = (changes: Partial<VerifiedIdToken>) => ({ issuedAt: NOW, ...changes }) as VerifiedIdToken;
const code = (expected: string, message: RegExp) => (error: unknown) =>
  isSallyportError(error, expected as "forbidden") && message.test(error.message);

describe("a sign-in whose ID token commits to no key", () => {
  it("is brokered only when there is no nonce at all, and the token is fresh", () => {
    assert.equal(checkBinding(token({ nonce: bindingNonce(binding) }), binding, NOW), "bound");
    assert.equal(checkBinding(token({ nonce: null }), binding, NOW + 600), "brokered");
    assert.throws(
      () => checkBinding(token({ nonce: null }), binding, NOW + 601),
      code("token-invalid", /^token-too-old: /),
    );
    for (const nonce of ["", "x", bindingNonce({ ...binding, rz: "B".repeat(43) })])
      assert.throws(
        () => checkBinding(token({ nonce }), binding, NOW),
        code("token-invalid", /^nonce-mismatch: /),
      );
  });

  const member = { id: "mem", name: "Dana" } as never;
  const contractor = { member, staff: undefined, pinned: false };
  const brokered = makeEngagement({ name: "lab", assurance: "brokered" });

  it("is good for the engagements that accept it and run, and for no other", () => {
    const over = makeEngagement({ assurance: "brokered", end: NOW - 1 });
    const later = makeEngagement({ assurance: "brokered", start: NOW + 60 });
    const all = [makeEngagement(), over, brokered, later];
    assert.deepEqual(brokeredEngagements(contractor, all, NOW), [brokered]);
    for (const none of [[], [makeEngagement()], [over, later]])
      assert.throws(
        () => brokeredEngagements(contractor, none, NOW),
        code("token-invalid", /^nonce-mismatch: .*Sign in with a browser/),
      );
  });

  it("is not enough for the security team, even for a member", () => {
    const staff = { email: "sec@acme.test", roles: ["admin" as const] };
    assert.throws(
      () => brokeredEngagements({ ...contractor, staff }, [brokered], NOW),
      code("forbidden", /security team/),
    );
  });
});
