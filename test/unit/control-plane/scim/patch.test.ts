import assert from "node:assert/strict";
import { GROUPS, USERS } from "@sallyport/control-plane/scim/attributes.ts";
import { applyPatch } from "@sallyport/control-plane/scim/patch.ts";
import type { Complex } from "@sallyport/control-plane/scim/resource.ts";
import { ScimError } from "@sallyport/control-plane/scim/scim-error.ts";

const ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

function body(...Operations: object[]) {
  return { schemas: ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], Operations };
}

const USER: Complex = {
  userName: "dana",
  active: true,
  emails: [
    { type: "work", value: "dana@work.test", primary: true },
    { type: "home", value: "dana@home.test" },
  ],
  name: { givenName: "Dana", familyName: "Doe" },
};

describe("SCIM PATCH", () => {
  const rows: [what: string, operation: object, changed: Partial<Complex>, gone?: string[]][] = [
    ["replaces without a path", { op: "replace", value: { active: false } }, { active: false }],
    ["takes Entra ID's spelling", { op: "Replace", path: "active", value: "False" }, { active: false }],
    ["finds attributes in any case", { op: "REPLACE", path: "ACTIVE", value: "true" }, { active: true }],
    [
      "finds attributes by their URN",
      { op: "replace", path: "urn:ietf:params:scim:schemas:core:2.0:User:active", value: false },
      { active: false },
    ],
    ["adds what was not there", { op: "add", path: "title", value: "Chief" }, { title: "Chief" }],
    [
      "replaces a part",
      { op: "replace", path: "name.familyName", value: "Roe" },
      { name: { givenName: "Dana", familyName: "Roe" } },
    ],
    [
      "merges a complex value",
      { op: "replace", path: "name", value: { familyName: "Roe" } },
      { name: { givenName: "Dana", familyName: "Roe" } },
    ],
    ["removes", { op: "remove", path: "name" }, {}, ["name"]],
    ["removes a part", { op: "remove", path: "name.givenName" }, { name: { familyName: "Doe" } }],
    ["removes by null", { op: "replace", path: "name", value: null }, {}, ["name"]],
    [
      "changes the value in brackets",
      { op: "replace", path: 'emails[type eq "work"].value', value: "new@work.test" },
      {
        emails: [
          { type: "work", value: "new@work.test", primary: true },
          { type: "home", value: "dana@home.test" },
        ],
      },
    ],
    [
      "removes the value in brackets",
      { op: "remove", path: 'emails[type eq "work"]' },
      { emails: [{ type: "home", value: "dana@home.test" }] },
    ],
    ["removes all values in brackets", { op: "remove", path: "emails[value pr]" }, {}, ["emails"]],
    ["removes nothing where none is meant", { op: "remove", path: 'emails[type eq "other"]' }, {}],
    [
      "adds a value, and there is one primary",
      { op: "add", path: "emails", value: [{ type: "other", value: "x@y.test", primary: "True" }] },
      {
        emails: [
          { type: "work", value: "dana@work.test", primary: false },
          { type: "home", value: "dana@home.test" },
          { type: "other", value: "x@y.test", primary: true },
        ],
      },
    ],
    [
      "sets an extension by its attribute",
      { op: "add", path: `${ENTERPRISE}:department`, value: "Tour" },
      { [ENTERPRISE]: { department: "Tour" } },
    ],
    [
      "sets an extension as a whole",
      { op: "add", value: { [ENTERPRISE]: { department: "Tour", nope: 1 } } },
      { [ENTERPRISE]: { department: "Tour" } },
    ],
    ["leaves unknown extensions out", { op: "add", path: "urn:x:y:2.0:User:z", value: 1 }, {}],
    ["leaves passwords out", { op: "replace", value: { password: "secret" } }, {}],
    ["leaves its own groups out", { op: "add", path: "groups", value: [{ value: "x" }] }, {}],
  ];
  for (const [what, operation, changed, gone = []] of rows)
    it(what, () => {
      const before = structuredClone(USER);
      const expected: Complex = { ...USER, ...changed };
      for (const name of gone) delete expected[name];
      assert.deepEqual(applyPatch(USERS, USER, body(operation)), expected);
      assert.deepEqual(USER, before, "the resource given stays as it is");
    });

  it("tells members apart by their id alone", () => {
    const group: Complex = { displayName: "g", members: [{ value: "a" }, { value: "b" }] };
    const add = { op: "add", path: "members", value: [{ value: "b", type: "User", $ref: "x" }] };
    const added = applyPatch(GROUPS, group, body(add)).members as Complex[];
    assert.deepEqual(
      added.map(({ value }) => value),
      ["a", "b"],
    );
    const remove = { op: "Remove", path: "members", value: [{ $ref: null, value: "a" }] };
    assert.deepEqual(applyPatch(GROUPS, group, body(remove)).members, [{ value: "b" }]);
    const all = { op: "remove", path: "members" };
    assert.equal("members" in applyPatch(GROUPS, group, body(all)), false);
    const nobody = { op: "remove", path: "members", value: [] };
    assert.deepEqual(applyPatch(GROUPS, group, body(nobody)).members, group.members);
    const text = { op: "add", path: "members", value: "c" };
    assert.equal((applyPatch(GROUPS, group, body(text)).members as Complex[]).length, 3);
    const replace = { op: "replace", path: "members", value: [{ value: "z" }] };
    assert.deepEqual(applyPatch(GROUPS, group, body(replace)).members, [{ value: "z" }]);
  });

  it("changes a group of 20,000 in no time", () => {
    const members = Array.from({ length: 20_000 }, (_, n) => ({ value: `scu_${n}` }));
    const operations = Array.from({ length: 20 }, (_, n) => ({
      op: "remove",
      path: `members[value eq "scu_${n}"]`,
    }));
    const begun = performance.now();
    const patched = applyPatch(GROUPS, { displayName: "g", members }, body(...operations));
    assert.equal((patched.members as Complex[]).length, 19_980);
    assert.ok(performance.now() - begun < 5000);
  });

  it("has nothing of a PATCH count that is wrong at its end", () => {
    const operations = [
      { op: "replace", path: "active", value: false },
      { op: "replace", path: "id", value: "x" },
    ];
    assert.throws(
      () => applyPatch(USERS, { ...USER, id: "scu_1" }, body(...operations)),
      (error) => error instanceof ScimError && error.scimType === "mutability",
    );
    assert.equal(USER.active, true);
  });

  it("lets an id pass that is repeated, and nothing reach a prototype", () => {
    const hostile = JSON.parse('{"id":"scu_1","__proto__":{"active":false},"constructor":1,"toString":2}');
    const patched = applyPatch(USERS, { ...USER, id: "scu_1" }, body({ op: "replace", value: hostile }));
    assert.deepEqual(patched, { ...USER, id: "scu_1" });
    assert.equal(Object.getPrototypeOf(patched), Object.prototype);
    assert.equal(({} as Record<string, unknown>).active, undefined);
  });
});
