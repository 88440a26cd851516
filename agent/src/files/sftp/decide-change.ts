import type { FileAccess } from "../file-access.ts";
import {
  change,
  type Decider,
  type Decision,
  fileEvent,
  notAllowed,
  refused,
  unknownHandle,
} from "./decision.ts";
import { OpenFile } from "./open-file.ts";
import { ATTRIBUTE, MAX_HANDLE, SSH_FX } from "./protocol.ts";
import { has, type RequestAttributes } from "./request-fields.ts";

/** Bits that let a program run as its owner or group: they are taken out of whatever is set. */
const SETUID_SETGID = 0o6000;

/** A REMOVE or an RMDIR. */
export function changeEntry(operation: "remove" | "remove-directory"): Decider {
  return (fields, { access }) => {
    const asked = fields.path();
    fields.end();
    const path = access.entry(asked);
    if (path === null || !access.mayChange(path)) return notAllowed(operation, asked, access, path);
    return change(fileEvent(operation, path));
  };
}

export const makeDirectory: Decider = (fields, { access }, packet) => {
  const asked = fields.path();
  const attributes = fields.attributes();
  fields.end();
  const path = access.entry(asked);
  if (path === null || !access.mayChange(path)) return notAllowed("make-directory", asked, access, path);
  return change(fileEvent("make-directory", path), withoutSetuid(packet, attributes));
};

/** RENAME, and OpenSSH's posix-rename. */
export const rename: Decider = (fields, { access }) => {
  const [asked, target] = [fields.path(), fields.path()];
  fields.end();
  const [from, to] = [access.entry(asked), access.entry(target)];
  const no = (why?: string) =>
    notAllowed("rename", asked, access, from, { target, ...(why === undefined ? {} : { why }) });
  if (from === null || to === null || !access.mayChange(from) || !access.mayChange(to)) return no();
  if (access.carriesGrant(from) || access.carriesGrant(to))
    return no("a granted directory stays where it is");
  const gained = gains(access, from, to);
  return gained === null ? change(fileEvent("rename", from, { target: to })) : no(gained);
};

/** OpenSSH's hardlink: the same file under a second name. */
export const hardLink: Decider = (fields, { access }) => {
  const [asked, target] = [fields.path(), fields.path()];
  fields.end();
  // link(2) takes a symbolic link as it is; where it leads counts as well, for kernels and servers that do not.
  const [from, leads, to] = [access.entry(asked), access.follow(asked), access.entry(target)];
  const no = (why?: string) =>
    notAllowed("link", asked, access, leads, { target, ...(why === undefined ? {} : { why }) });
  if (from === null || leads === null || to === null || !access.mayChange(to)) return no();
  const gained = gains(access, from, to) ?? gains(access, leads, to);
  return gained === null ? change(fileEvent("link", from, { target: to })) : no(gained);
};

/** What could be done with a file at another place that cannot be done with it where it is; null: nothing. */
function gains(access: FileAccess, from: string, to: string): string | null {
  if (!access.holds(from)) return "linking is not allowed here";
  if (access.mayRead(to) && !access.mayRead(from))
    return "what may not be read does not go where it could be";
  if (access.mayWrite(to) && !access.mayWrite(from))
    return "what may not be written does not go where it could be";
  if (access.maxFileSize(from) > access.maxFileSize(to)) return "files may be larger here than there";
  return null;
}

/** In OpenSSH's order: what the link says first, then where it is made. */
export const symlink: Decider = (fields, { access }) => {
  const [target, asked] = [fields.path(), fields.path()];
  fields.end();
  const path = access.entry(asked);
  const no = (why?: string) =>
    notAllowed("symlink", asked, access, path, { target, ...(why === undefined ? {} : { why }) });
  if (path === null || !access.mayChange(path)) return no();
  const leads = access.followFrom(path, target);
  if (leads === null || !access.holds(leads)) return no("the link would lead out of what is granted");
  return change(fileEvent("symlink", path, { target }));
};

/** SETSTAT, and OpenSSH's lsetstat, which does not follow a link. */
export function setAttributes(which: "entry" | "follow"): Decider {
  return (fields, { access }, packet) => {
    const asked = fields.path();
    const attributes = fields.attributes();
    fields.end();
    const path = access[which](asked);
    if (path === null || !access.mayWrite(path)) return notAllowed("set-attributes", asked, access, path);
    return (
      forbidden(attributes, asked, access, path, access.maxFileSize(path)) ??
      setting(path, attributes, packet)
    );
  };
}

export const setAttributesOfHandle: Decider = (fields, { access, handle }, packet) => {
  const on = handle(fields.bytes(MAX_HANDLE));
  const attributes = fields.attributes();
  fields.end();
  if (!(on instanceof OpenFile) || on.revoked) return unknownHandle();
  const { path } = on;
  if (!access.mayWrite(path)) return notAllowed("set-attributes", path, access, path);
  const no = forbidden(attributes, path, access, path, on.maxSize);
  if (no !== null) return no;
  return setting(path, attributes, packet);
};

function forbidden(
  { flags, size }: RequestAttributes,
  asked: string,
  access: FileAccess,
  path: string,
  maxSize: number,
): Decision | null {
  const no = (why: string) => notAllowed("set-attributes", asked, access, path, { why });
  if (has(flags, ATTRIBUTE.UIDGID)) return no("owners are not changed here");
  if (size !== null && size > maxSize) return no(`files may have ${maxSize} bytes here`);
  if ((flags & ~(ATTRIBUTE.SIZE | ATTRIBUTE.PERMISSIONS | ATTRIBUTE.ACMODTIME)) !== 0)
    return refused(SSH_FX.OP_UNSUPPORTED, "Sallyport: these attributes are not known here.");
  return null;
}

function setting(path: string, attributes: RequestAttributes, packet: Buffer): Decision {
  const { flags, size, permissions } = attributes;
  const mode = permissions === null ? null : (permissions & 0o7777 & ~SETUID_SETGID).toString(8);
  const parts = [
    size === null ? null : `size ${size}`,
    mode === null ? null : `mode ${mode.padStart(4, "0")}`,
    has(flags, ATTRIBUTE.ACMODTIME) ? "times" : null,
  ];
  const detail = parts.filter((part) => part !== null).join(", ");
  const event = fileEvent("set-attributes", path, { detail });
  const changed = withoutSetuid(packet, attributes);
  return { pass: { kind: "change", event, resizes: size !== null }, ...(changed && { changed }) };
}

/** The packet without the setuid and setgid bits; undefined where it has none. */
export function withoutSetuid(packet: Buffer, attributes: RequestAttributes): Buffer | undefined {
  const { permissions, permissionsAt } = attributes;
  if (permissions === null || (permissions & SETUID_SETGID) === 0) return undefined;
  const changed = Buffer.from(packet);
  changed.writeUInt32BE((permissions & ~SETUID_SETGID) >>> 0, permissionsAt);
  return changed;
}
