import { SallyportError } from "@sallyport/core/errors.ts";
import { KeyKind } from "@sallyport/core/messages/key-succession.ts";
import { fingerprint, parsePublicKeyLine } from "@sallyport/core/ssh/public-key.ts";
import { PROGRAM_NAME } from "../program-name.ts";
import {
  beginRotation,
  finishRotation,
  type RotationNeeds,
  type RotationState,
  rotationState,
  switchWhenReady,
} from "./rotation.ts";

/** What the command `rotate-key` was called with. */
export interface RotateKeyOptions {
  kind: string | undefined;
  finish: boolean;
  force: boolean;
  status: boolean;
}

/**
 * The command `rotate-key`: takes one step, or none with `status`, and returns how things stand then, a line each. Codes
 * `usage`, and those of the steps.
 */
export async function rotateKey(needs: RotationNeeds, options: RotateKeyOptions): Promise<string[]> {
  const { finish, force, status } = options;
  const kind = KeyKind.safeParse(options.kind);
  if (status && options.kind === undefined) {
    const states = [];
    for (const each of KeyKind.options) states.push(await rotationState(needs, each));
    return states.flatMap(describe);
  }
  if (!kind.success)
    throw new SallyportError("usage", `--kind is missing, or none of ${KeyKind.options.join(", ")}.`);
  if (finish) await finishRotation(needs, kind.data, force);
  else if (force) await switchNow(needs, kind.data);
  else if (!status) await beginRotation(needs, kind.data);
  return describe(await rotationState(needs, kind.data));
}

async function switchNow(needs: RotationNeeds, kind: KeyKind): Promise<void> {
  if (await switchWhenReady(needs, kind, true)) return;
  throw new SallyportError(
    "conflict",
    `There is no rotation of ${kind} whose new key does not sign yet; begin one with the same command without --force.`,
  );
}

function describe({ kind, signing, open, waitsFor }: RotationState): string[] {
  const lines = [`${kind}: ${signing} signs`];
  if (open === undefined) return lines;
  const name = (line: string) => fingerprint(parsePublicKeyLine(line).blob);
  const what = open.switched_at === null ? name(open.new_key) : name(open.old_key);
  lines.push(
    open.switched_at === null
      ? `  ${what} is next, and signs as soon as nothing has to be waited for`
      : `  ${what} is the old one, until: ${PROGRAM_NAME} rotate-key --config FILE --kind ${kind} --finish`,
  );
  return [...lines, ...waitsFor.map((obstacle) => `  waits for ${obstacle}`)];
}
