import { printable } from "../terminal-text.ts";
import type { CompiledRule } from "./compiled-rule.ts";
import { valueText, wordText } from "./usage-text.ts";
import type { Place, Walk } from "./walk.ts";

const MAX_ALTERNATIVES = 8;
const MAX_WORD = 60;

/** What the rules that go furthest with the arguments have against them, in one sentence. */
export function refusalDetail(
  program: string,
  words: readonly string[],
  walks: readonly { rule: CompiledRule; walk: Walk }[],
): string {
  const taken = Math.max(0, ...walks.map(({ walk }) => walk.taken));
  const furthest = walks.filter(({ walk }) => walk.taken === taken);
  const word = words[taken];
  const asked = word?.startsWith("-") === true;
  const may = alternatives(
    furthest.flatMap(({ rule, walk }) => walk.places.flatMap((place) => expected(rule, place, asked))),
  );
  const name = `\`${printable(program, MAX_WORD)}\``;
  if (word === undefined)
    return `An argument of ${name} is missing at the end${may === "" ? "" : `: it may be ${may}`}.`;
  const which = `Argument ${taken + 1} of ${name}, \`${printable(word, MAX_WORD)}\`,`;
  return may === "" ? `${which} is one too many.` : `${which} is not allowed there: it may be ${may}.`;
}

/** What may come at a place; flags only where one was given, or nothing else may come. */
function expected(rule: CompiledRule, place: Place, asked: boolean): string[] {
  if (place.waiting !== null)
    return place.waiting.value === null ? [] : [valueText(place.waiting.value.written)];
  const step = rule.steps[place.step];
  const values = step?.kind === "value" || step?.kind === "repeat" ? [valueText(step.value.written)] : [];
  const flags = asked && place.open ? rule.flags.map(({ flag }) => wordText(flag)) : [];
  return [...values, ...flags];
}

function alternatives(texts: readonly string[]): string {
  const some = [...new Set(texts)];
  const shown = some.slice(0, MAX_ALTERNATIVES).map((text) => `\`${text}\``);
  if (some.length > shown.length) return `${shown.join(", ")} or others`;
  const last = shown.pop();
  return last === undefined ? "" : shown.length === 0 ? last : `${shown.join(", ")} or ${last}`;
}
