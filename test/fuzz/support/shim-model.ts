import { MAX_SHIM_FRAME, TICKET_LENGTH } from "@sallyport/agent/shim/shim-protocol.ts";

/** FNV-1a, as the program with the shim's parsers has it. */
export function hashOf(bytes: Uint8Array): string {
  let hash = 2166136261;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 16777619);
  return (hash >>> 0).toString(16).padStart(8, "0");
}

/** The first frame of a stream as the protocol has it, written anew here; null when there is none or it is not allowed. */
export function firstFrame(bytes: Buffer): { type: string; data: Buffer; next: number } | null {
  if (bytes.length < 5) return null;
  const length = bytes.readUInt32BE(0);
  if (length < 1 || length > MAX_SHIM_FRAME || bytes.length < 4 + length) return null;
  return { type: String.fromCharCode(bytes[4] ?? 0), data: bytes.subarray(5, 4 + length), next: 4 + length };
}

interface Program {
  file: Buffer | null;
  directory: Buffer | null;
  argv: Buffer[];
  confined: boolean;
  layers: [string, Buffer][];
}

/** What the shim must make of an `x` frame's payload: whether it is taken, and what it says. */
export function instructionsIn(bytes: Buffer): string | null {
  const flags = { t: false, E: false, D: false };
  const program = (): Program => ({ file: null, directory: null, argv: [], confined: false, layers: [] });
  const programs = [program()];
  for (let at = 0; at < bytes.length; ) {
    if (bytes.length - at < 5) return null;
    const kind = String.fromCharCode(bytes[at] ?? 0);
    const length = bytes.readUInt32BE(at + 1);
    const value = bytes.subarray(at + 5, at + 5 + length);
    if (value.length < length) return null;
    at += 5 + length;
    const last = programs.at(-1) ?? program();
    if (kind === "L" || kind === "P") {
      if (!isConfinement(kind, value, last)) return null;
      last.layers.push([kind, value]);
      continue;
    }
    if (value.includes(0) || ("EDN|".includes(kind) && length > 0)) return null;
    if (kind === "a" && last.argv.length < 1024) last.argv.push(value);
    else if (kind === "f" && last.file === null) last.file = value;
    else if (kind === "c" && last.directory === null) last.directory = value;
    else if (kind === "N") last.confined = true;
    else if (kind === "E" || kind === "D" || (kind === "t" && !flags.t)) flags[kind] = true;
    else if (kind === "|" && last.file !== null && last.argv.length > 0 && programs.length < 16)
      programs.push(program());
    else if (!(kind === "u" || (kind === "e" && value.includes("=")))) return null;
    else if (programs.length > 1 && last.file === null) return null;
  }
  if (programs.some(({ file, argv }) => file === null || argv.length === 0)) return null;
  const said = programs.map(({ file, directory, argv, confined, layers }) => {
    const texts = [file ?? Buffer.alloc(0), directory ?? Buffer.alloc(0), ...argv].map(hashOf);
    return [`|${confined ? 1 : 0}`, ...texts, ...layers.map(([kind, value]) => kind + hashOf(value))].join(
      " ",
    );
  });
  const [t, clear, direct] = [flags.t, flags.E, flags.D].map((flag) => (flag ? 1 : 0));
  return [0, programs.length, t, clear, direct, ...said].join(" ");
}

/** Whether a layer or a rule is one: of its length, and a rule with an absolute path behind a layer. */
function isConfinement(kind: "L" | "P", value: Buffer, program: Program): boolean {
  if (kind === "L") return value.length === 24;
  return program.layers.length > 0 && value[8] === 0x2f;
}

/** What a pump must make of a recorder's frames, with so many bytes of output and of errors waiting. */
export function pumpedBy(bytes: Buffer, pty: boolean, waitingOutput: number, waitingError: number): string {
  const [output, error] = [
    { released: 0, length: waitingOutput },
    { released: 0, length: waitingError },
  ];
  const show = (to: typeof output, count: number): true => {
    to.length += count;
    to.released += count;
    return true;
  };
  const release = (from: typeof output, count: number): boolean => {
    if (count > from.length - from.released) return false;
    from.released += count;
    return true;
  };
  let [gone, finishing, how, value] = [false, false, 0, 0];
  for (let rest = bytes; !gone && !finishing; ) {
    const frame = firstFrame(rest);
    if (frame === null) {
      const length = rest.length < 5 ? 1 : rest.readUInt32BE(0);
      gone = length < 1 || length > MAX_SHIM_FRAME;
      break;
    }
    const { type, data } = frame;
    rest = rest.subarray(frame.next);
    if (type === "d" && pty) show(output, data.length);
    else if (type === "t" && pty) show(output, data.length);
    else if (type === "t") gone = error.released === error.length ? !show(error, data.length) : false;
    else if (type === "a" && !pty && data.length === 8)
      gone = !(release(output, data.readUInt32BE(0)) && release(error, data.readUInt32BE(4)));
    else if (type === "z" && data.length === 2) {
      [how, value] = [data[0] ?? 0, data[1] ?? 0];
      finishing = true;
    } else if (type === "k") gone = data.length !== 1 || data[0] === 0 || (data[0] ?? 65) > 64;
    else gone = type !== "y";
  }
  const figures = [output.released, output.length, error.released, error.length, how, value];
  return [gone ? 1 : 0, finishing ? 1 : 0, ...figures].join(" ");
}

/** Where an answer of the agent's must send a shim: to a recorder, away with a text, or away because it is none. */
export function answerIn(bytes: Buffer): { recorder: Buffer } | { status: number; text: Buffer } | null {
  const frame = firstFrame(bytes);
  if (frame === null) return null;
  const { type, data } = frame;
  if (type === "r" && data.length >= 1) return { status: data[0] ?? 0, text: data.subarray(1) };
  if (type !== "g" || data.length <= TICKET_LENGTH || data.length - TICKET_LENGTH >= 108) return null;
  return { recorder: data.subarray(TICKET_LENGTH) };
}
