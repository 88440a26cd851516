import type { FileAccess } from "../file-access.ts";
import type { FileEvent } from "./open-file.ts";
import type { Expected, Handle } from "./pending.ts";
import { MAX_HANDLE, SSH_FX, type StatusCode } from "./protocol.ts";
import type { RequestFields } from "./request-fields.ts";

/** What is done with a request: it goes on, perhaps changed, or is answered here. */
export type Decision =
  | { pass: Expected; changed?: Buffer }
  | { refuse: StatusCode; text: string; event: FileEvent | null };

/** What a request is decided by. */
export interface RequestSurroundings {
  access: FileAccess;
  /** What a handle of this connection stands for. */
  handle(name: Buffer): Handle | undefined;
}

/** Decides about one type of request, from its first field on. */
export type Decider = (fields: RequestFields, around: RequestSurroundings, packet: Buffer) => Decision;

/** Longest text of the contractor's in an event. */
const MAX_SAID = 4096;

const DEEDS: Record<FileEvent["operation"], string> = {
  read: "reading",
  write: "writing",
  remove: "removing",
  rename: "renaming",
  "make-directory": "making a directory",
  "remove-directory": "removing a directory",
  link: "linking",
  symlink: "making a symbolic link",
  "set-attributes": "changing attributes",
  list: "looking",
};

/** Begins what the audit log alone is told of a path: where it leads. */
const LEADS = " (it leads to ";

/** The detail of a refusal as the contractor may hear it. */
export function withoutTarget(detail: string): string {
  const at = detail.indexOf(LEADS);
  return at === -1 ? detail : detail.slice(0, at);
}

export function fileEvent(
  operation: FileEvent["operation"],
  path: string,
  rest: Partial<Pick<FileEvent, "target" | "result" | "detail">> = {},
): FileEvent {
  const { target = null, result = "ok", detail = "" } = rest;
  return {
    ...{ type: "file", protocol: "sftp", operation, path: path.slice(0, MAX_SAID) },
    target: target?.slice(0, MAX_SAID) ?? null,
    ...{ bytes: null, sha256: null, result, detail: detail.slice(0, MAX_SAID) },
  };
}

/** Passes a change on, to be told when the host has answered. */
export function change(event: FileEvent, changed?: Buffer): Decision {
  const pass = { kind: "change", event } as const;
  return changed === undefined ? { pass } : { pass, changed };
}

/** Answered here, and nothing that anybody has to hear of. */
export function refused(code: StatusCode, text: string): Decision {
  return { refuse: code, text, event: null };
}

export function unknownHandle(): Decision {
  return refused(SSH_FX.FAILURE, "There is no such handle, or not for this.");
}

/**
 * The grants do not allow it at this path. `real` is where the path leads, null where nobody can say; the contractor does
 * not hear it.
 */
export function notAllowed(
  operation: FileEvent["operation"],
  asked: string,
  access: FileAccess,
  real: string | null,
  options: { target?: string; why?: string } = {},
): Decision {
  const path = access.absolute(asked);
  const { target, why = `${DEEDS[operation]} is not allowed here` } = options;
  const leads = real === null ? `${LEADS}nowhere)` : real === path ? "" : `${LEADS}${real})`;
  const event = fileEvent(operation, path, {
    target: target ?? null,
    result: "refused",
    detail: why + leads,
  });
  return { refuse: SSH_FX.PERMISSION_DENIED, text: `Sallyport: ${why}.`, event };
}

/** Decides about requests that have a handle and nothing else; `revoked`: also where it is good for nothing else. */
export function onHandle(expected: (handle: Handle) => Expected, { revoked = false } = {}): Decider {
  return (fields, around) => {
    const handle = around.handle(fields.bytes(MAX_HANDLE));
    fields.end();
    return handle === undefined || (handle.revoked && !revoked)
      ? unknownHandle()
      : { pass: expected(handle) };
  };
}

/** Decides about a path that is only looked at: itself, or where it leads. */
export function see(which: "entry" | "follow"): Decider {
  return (fields, { access }) => {
    const asked = fields.path();
    fields.end();
    const path = access[which](asked);
    if (path !== null && access.sees(path)) return { pass: { kind: "plain" } };
    return notAllowed("list", asked, access, path);
  };
}
