import { hardLink, rename, setAttributes } from "./decide-change.ts";
import {
  change,
  type Decider,
  fileEvent,
  notAllowed,
  onHandle,
  refused,
  see,
  unknownHandle,
} from "./decision.ts";
import { OpenFile } from "./open-file.ts";
import { MAX_HANDLE, SSH_FX } from "./protocol.ts";

/** What OpenSSH added to version 3 (its file PROTOCOL, 4.). Whatever is not here is not known to the host either. */
const EXTENSIONS: ReadonlyMap<string, Decider> = new Map<string, Decider>([
  ["posix-rename@openssh.com", rename],
  ["statvfs@openssh.com", see("follow")],
  ["fstatvfs@openssh.com", onHandle(() => ({ kind: "plain" }))],
  ["hardlink@openssh.com", hardLink],
  ["fsync@openssh.com", onHandle(() => ({ kind: "plain" }))],
  ["lsetstat@openssh.com", setAttributes("entry")],
  ["limits@openssh.com", plain],
  ["expand-path@openssh.com", expandPath],
  ["copy-data", copyData],
  ["users-groups-by-id@openssh.com", namesById],
]);

/** An EXTENDED request, from its name on. */
export const extended: Decider = (fields, around, packet) => {
  const name = fields.bytes(256).toString("latin1");
  const decide = EXTENSIONS.get(name);
  if (decide === undefined)
    return refused(SSH_FX.OP_UNSUPPORTED, "Sallyport: this SFTP extension is not known here.");
  return decide(fields, around, packet);
};

function plain(...[fields]: Parameters<Decider>): ReturnType<Decider> {
  fields.end();
  return { pass: { kind: "plain" } };
}

/** `~` is the account's own home; another's is nobody's business here. */
function expandPath(...[fields, { access }]: Parameters<Decider>): ReturnType<Decider> {
  const asked = fields.path();
  fields.end();
  const path = !asked.startsWith("~")
    ? access.follow(asked)
    : /^~(\/|$)/.test(asked)
      ? access.follow(access.home + asked.slice(1))
      : null;
  if (path === null || !access.sees(path)) return notAllowed("list", asked, access, path);
  return { pass: { kind: "plain" } };
}

/** From one open file to another on the host: no byte of it comes by here. */
function copyData(...[fields, { handle }]: Parameters<Decider>): ReturnType<Decider> {
  const from = handle(fields.bytes(MAX_HANDLE));
  fields.u64();
  const length = fields.u64();
  const to = handle(fields.bytes(MAX_HANDLE));
  const offset = fields.u64();
  fields.end();
  if (!(from instanceof OpenFile) || !from.mode.reads || from.revoked) return unknownHandle();
  if (!(to instanceof OpenFile) || !to.mode.writes || to.revoked) return unknownHandle();
  // Zero is all that there is, and how much that is, is not known here.
  if (to.maxSize !== Infinity && (length === 0 || offset + length > to.maxSize)) {
    const why = `files may have ${to.maxSize} bytes here`;
    const event = fileEvent("write", to.path, {
      result: "refused",
      detail: `copied from ${from.path}: ${why}`,
    });
    return { refuse: SSH_FX.PERMISSION_DENIED, text: `Sallyport: ${why}.`, event };
  }
  to.changed();
  return change(fileEvent("write", to.path, { detail: `copied on the host from ${from.path}` }));
}

/** Two lists of ids, whose names are in every listing anyway. */
function namesById(...[fields]: Parameters<Decider>): ReturnType<Decider> {
  fields.bytes(Number.MAX_SAFE_INTEGER);
  fields.bytes(Number.MAX_SAFE_INTEGER);
  fields.end();
  return { pass: { kind: "plain" } };
}
