import { EnterpriseUser, Group, User } from "scimmy/schemas";
import type { Attribute, SchemaDefinition } from "scimmy/types";

/** Schema of people. */
export const USER = User.id;
/** Schema of groups. */
export const GROUP = Group.id;
/** Schema of what companies add to people. */
export const ENTERPRISE_USER = EnterpriseUser.id;

/** An attribute, by what it takes to read, compare and change it. */
export interface ScimAttribute {
  name: string;
  type: "string" | "boolean" | "dateTime" | "complex";
  multiValued: boolean;
  caseExact: boolean;
  /** Only the server writes it. */
  readOnly: boolean;
  /** By name in lower case; empty unless complex. */
  subAttributes: ReadonlyMap<string, ScimAttribute>;
}

/** The attributes of a kind of resource. An extension is a complex attribute that has its URN as name. */
export interface ResourceSchema {
  kind: "User" | "Group";
  urn: string;
  /** By name in lower case. */
  attributes: ReadonlyMap<string, ScimAttribute>;
  /** By URN in lower case. */
  extensions: ReadonlyMap<string, ScimAttribute>;
}

/** Never stored: a password is none of our business, and the rest is not what access hangs on. */
const NOT_KEPT = ["password", "groups", "photos", "x509Certificates"];

/** Whose attributes RFC 7643 compares with case: all others are told apart without. */
const CASE_EXACT = ["id", "externalId"];

/** What is asked for by `/Schemas`, in scimmy's words and without what is not kept. */
export function describeSchemas(base: string): Record<string, unknown>[] {
  return [User, Group, EnterpriseUser].map(({ definition }) => {
    const described = definition.describe(`${base}/Schemas`);
    const attributes = described.attributes.filter(({ name }) => !NOT_KEPT.includes(name));
    return JSON.parse(JSON.stringify({ ...described, attributes }));
  });
}

/** True for an attribute of people that is accepted and dropped. */
export function isNotKept(name: string): boolean {
  return NOT_KEPT.some((one) => one.toLowerCase() === name.toLowerCase());
}

const SIMPLE = { multiValued: false, caseExact: false, readOnly: false, subAttributes: new Map() } as const;

/** What RFC 7643 §3.1 gives to every resource. */
const COMMON: ScimAttribute[] = [
  { ...SIMPLE, name: "schemas", type: "string", multiValued: true, readOnly: true },
  { ...SIMPLE, name: "id", type: "string", caseExact: true, readOnly: true },
  { ...SIMPLE, name: "externalId", type: "string", caseExact: true },
  {
    ...SIMPLE,
    name: "meta",
    type: "complex",
    readOnly: true,
    subAttributes: byName([
      { ...SIMPLE, name: "resourceType", type: "string", caseExact: true, readOnly: true },
      { ...SIMPLE, name: "created", type: "dateTime", readOnly: true },
      { ...SIMPLE, name: "lastModified", type: "dateTime", readOnly: true },
      { ...SIMPLE, name: "location", type: "string", caseExact: true, readOnly: true },
      { ...SIMPLE, name: "version", type: "string", caseExact: true, readOnly: true },
    ]),
  },
];

/** Users. */
export const USERS: ResourceSchema = {
  kind: "User",
  urn: USER,
  attributes: attributesOf(User.definition),
  extensions: new Map([[ENTERPRISE_USER.toLowerCase(), extension(EnterpriseUser.definition)]]),
};

/** Groups. */
export const GROUPS: ResourceSchema = {
  kind: "Group",
  urn: GROUP,
  attributes: attributesOf(Group.definition),
  extensions: new Map(),
};

function attributesOf(definition: SchemaDefinition): ReadonlyMap<string, ScimAttribute> {
  const own = definition.attributes.filter(
    ({ name, config }) => !NOT_KEPT.includes(name) && config?.shadow !== true,
  );
  return byName([...COMMON, ...own.map(toAttribute)]);
}

function extension(definition: SchemaDefinition): ScimAttribute {
  return { ...SIMPLE, name: definition.id, type: "complex", subAttributes: attributesOf(definition) };
}

function toAttribute({ name, type, config, subAttributes = [] }: Attribute): ScimAttribute {
  return {
    name,
    type: type === "complex" || type === "boolean" || type === "dateTime" ? type : "string",
    multiValued: config.multiValued === true,
    caseExact: config.caseExact === true || CASE_EXACT.includes(name),
    readOnly: config.mutable === false,
    subAttributes: byName(subAttributes.map(toAttribute)),
  };
}

function byName(attributes: readonly ScimAttribute[]): ReadonlyMap<string, ScimAttribute> {
  return new Map(attributes.map((attribute) => [attribute.name.toLowerCase(), attribute]));
}
