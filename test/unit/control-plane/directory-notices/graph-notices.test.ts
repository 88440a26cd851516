import assert from "node:assert/strict";
import { readGraphNotices } from "@sallyport/control-plane/directory-notices/graph-notices.ts";

const ID = "87d349ed-44d7-43e1-9a83-5f2406dee5bd";
const userOf = (notice: object) => readGraphNotices({ value: [{ clientState: "s", ...notice }] })?.[0]?.user;

describe("notices of Microsoft Graph", () => {
  const rows: [what: string, notice: object, user: string | undefined][] = [
    ["a user by path", { resource: `users/${ID}` }, ID],
    ["Graph's own spelling", { resource: `Users/${ID}`, resourceData: { id: ID } }, ID],
    ["a user by key", { resource: `users('${ID}')` }, ID],
    [
      "the data's id where both are there",
      { resource: `users/${ID}`, resourceData: { id: "other" } },
      "other",
    ],
    ["no data of a deleted user", { resource: `Users/${ID}`, resourceData: null }, ID],
    ["a group", { resource: `groups/${ID}`, resourceData: { id: ID } }, undefined],
    ["a user's mail", { resource: `users/${ID}/messages/1`, resourceData: { id: "1" } }, undefined],
    ["nothing", {}, undefined],
  ];
  for (const [what, notice, user] of rows) it(`are read: ${what}`, () => assert.equal(userOf(notice), user));
});
