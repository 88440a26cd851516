import type { CommandRule, Value } from "../command-rule.ts";

type Path = readonly PropertyKey[];

/** An option that a rule writes out. */
export interface WrittenOption {
  /** `-n`, `--lines`; what stands behind `=` is left out. */
  name: string;
  /** Its value, if it has one, is the policy's choice and not the contractor's. */
  fixed: boolean;
  path: Path;
}

/** A place for an argument that is no option. */
export interface Operand {
  /** The contractor chooses its text. An integer is no choice: it names no file and no program. */
  open: boolean;
  /** What it may be, where it is written out. */
  texts: readonly string[];
  /** It may be left out. */
  optional: boolean;
  path: Path;
}

/** A rule as the linter looks at it. */
export interface RuleView {
  rule: CommandRule;
  path: Path;
  /** The program's name without its directory. */
  name: string;
  options: WrittenOption[];
  operands: Operand[];
  /** Every value, with where it stands. */
  values: { value: Value; path: Path }[];
  /** Where it says `rest: true`. */
  rest: Path | undefined;
  /** Every word that is written out and must be there. */
  words: string[];
  /** The contractor chooses nothing but among what is written out. */
  fixed: boolean;
}

/** Takes a rule apart. `path` is where it stands in the document. */
export function viewOf(rule: CommandRule, path: Path): RuleView {
  const places = placesOf(rule, path);
  const flags = flagsOf(rule, path);
  const rest = rule.arguments.findIndex((argument) => isObject(argument) && "rest" in argument);
  const texts = (place: Place) => textsOf(place.value);
  const operands = places
    .filter((place) => !texts(place).some(isOption) || texts(place).some((text) => !isOption(text)))
    .map(({ value, optional, path }) => ({
      open: isOpen(value),
      texts: textsOf(value).filter((text) => !isOption(text)),
      optional,
      path,
    }));
  const anyOpen = rest >= 0 || operands.some(({ open }) => open);
  const written = places.flatMap((place, index) =>
    texts(place)
      .filter(isOption)
      .map((text) => ({
        name: nameOf(text),
        fixed:
          text.includes("=") ||
          !(places[index + 1] === undefined ? rest >= 0 : isOpen(places[index + 1]?.value)),
        path: place.path,
      })),
  );
  const options = [...flags.map((flag) => ({ ...flag, fixed: flag.fixed ?? !anyOpen })), ...written];
  return {
    rule,
    path,
    name: rule.program.slice(rule.program.lastIndexOf("/") + 1),
    options,
    operands,
    values: [
      ...places,
      ...flags.flatMap(({ value, path }) => (value === undefined ? [] : [{ value, path }])),
    ],
    rest: rest < 0 ? undefined : [...path, "arguments", rest],
    words: places.flatMap(({ value, optional }) => (optional || typeof value !== "string" ? [] : [value])),
    fixed: !anyOpen && options.every(({ fixed }) => fixed),
  };
}

interface Place {
  value: Value;
  optional: boolean;
  path: Path;
}

function placesOf(rule: CommandRule, path: Path): Place[] {
  return rule.arguments.flatMap((argument, index): Place[] => {
    const at = [...path, "arguments", index];
    if (isObject(argument) && "rest" in argument) return [];
    if (isObject(argument) && "optional" in argument)
      return argument.optional.map((value, inner) => ({
        value,
        optional: true,
        path: [...at, "optional", inner],
      }));
    if (isObject(argument) && "repeated" in argument)
      return [{ value: argument.repeated, optional: argument.from === 0, path: [...at, "repeated"] }];
    return [{ value: argument, optional: false, path: at }];
  });
}

function flagsOf(rule: CommandRule, path: Path) {
  return rule.flags.map((flag, index) => {
    const at = [...path, "flags", index];
    return typeof flag === "string"
      ? { name: nameOf(flag), fixed: flag.includes("=") ? true : undefined, value: undefined, path: at }
      : { name: nameOf(flag.flag), fixed: !isOpen(flag.value), value: flag.value, path: [...at, "value"] };
  });
}

/** The words that a value is, where they are written out. */
export function textsOf(value: Value): readonly string[] {
  if (typeof value === "string") return [value];
  return "oneOf" in value ? value.oneOf : [];
}

function isOpen(value: Value | undefined): boolean {
  return isObject(value) && ("matches" in value || "under" in value);
}

function isOption(text: string): boolean {
  return text.startsWith("-");
}

function nameOf(option: string): string {
  return option.startsWith("--") ? (option.split("=")[0] ?? option) : option;
}

function isObject<T>(value: T): value is Extract<T, object> {
  return typeof value === "object";
}
