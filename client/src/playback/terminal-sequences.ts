/*
 * Which control sequences a replay passes on. The terminal in front of an auditor must not answer (its answer would be
 * typed into the auditor's shell), touch the clipboard, move files, program keys or report where the mouse is: a
 * contractor decides what is in a recording. Names are those of xterm's ctlseqs and ECMA-48.
 */

/** Private modes that make a terminal send bytes of its own: mouse, focus, colour scheme and size reports. */
const REPORTING_MODES = new Set([9, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1015, 1016, 2031, 2048]);

/** OSC commands that only draw: titles, colours (set, not asked), hyperlinks, prompt marks. */
const DRAWING_OSC = new Set([0, 1, 2, 4, 5, 8, 10, 11, 12, 17, 19, 104, 105, 110, 111, 112, 117, 119, 133]);

/**
 * What becomes of a CSI sequence, given by its parts: passed on (undefined), dropped (""), or replaced by the same
 * sequence with other parameters.
 */
export function replacedCsi(parameters: string, intermediates: string, final: string): string | undefined {
  const prefix = /^[<=>?]/.exec(parameters)?.[0] ?? "";
  // Secondary attributes, version, key encodings: everything with these prefixes is about what the terminal sends.
  if (prefix !== "" && prefix !== "?") return "";
  if (intermediates === "") return replacedPlainCsi(parameters, prefix, final);
  if (intermediates.includes("#")) return "";
  if (intermediates === "$") return ["p", "u", "w"].includes(final) ? "" : undefined; // DECRQM, DECRQTSR, DECRQPSR
  if (intermediates === "&") return final === "u" ? "" : undefined; // DECRQUPSS
  if (intermediates === "*") return final === "y" ? "" : undefined; // DECRQCRA
  if (intermediates === "'") return ["w", "z", "{", "|"].includes(final) ? "" : undefined; // locator reports
  return undefined;
}

function replacedPlainCsi(parameters: string, prefix: string, final: string): string | undefined {
  switch (final) {
    case "c": // device attributes
    case "n": // device status
    case "x": // terminal parameters
    case "t": // window size, position and title reports, and window operations
    case "i": // printing
      return "";
    case "m": // with "?", the keyboard's modifiers
    case "u": // with "?", the keyboard's state
    case "S": // with "?", graphics limits
      return prefix === "?" ? "" : undefined;
    case "h":
    case "r":
      return prefix === "?" ? withoutReportingModes(parameters, final) : undefined;
    default:
      return undefined;
  }
}

/** The same mode setting without the modes that report; they may stand in one list with harmless ones. */
function withoutReportingModes(parameters: string, final: string): string | undefined {
  const modes = parameters.slice(1).split(";");
  const kept = modes.filter((mode) => !REPORTING_MODES.has(Number.parseInt(mode, 10)));
  if (kept.length === modes.length) return undefined;
  return kept.length === 0 ? "" : `\u001b[?${kept.join(";")}${final}`;
}

/** True for an OSC string that only draws. */
export function isDrawingOsc(content: string): boolean {
  const [command = "", ...rest] = content.split(";");
  if (!/^[0-9]{1,4}$/.test(command) || !DRAWING_OSC.has(Number(command))) return false;
  // A "?" in place of a colour asks for it.
  return ["0", "1", "2", "8", "133"].includes(command) || !rest.some((part) => part.trim().startsWith("?"));
}
