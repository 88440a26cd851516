import type { Member } from "@sallyport/core/policy/engagement.ts";

/** How members are called in what people write: by e-mail, or by id where there is none. */
export function namesOf(members: readonly Member[]): (id: string) => string {
  const names = new Map(members.map(({ id, email }) => [id, email ?? id]));
  return (id) => names.get(id) ?? id;
}
