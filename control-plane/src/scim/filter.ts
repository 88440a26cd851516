import { type AttributePath, parsePath } from "./attribute-path.ts";
import type { ResourceSchema } from "./attributes.ts";
import { badRequest, type ScimError, type ScimType } from "./scim-error.ts";

/** What a value is compared with. */
export type Comparison = string | number | boolean | null;

/** The comparison operators of RFC 7644 §3.4.2.2. */
export const OPERATORS = ["eq", "ne", "co", "sw", "ew", "gt", "lt", "ge", "le"] as const;
export type Operator = (typeof OPERATORS)[number];

/** A filter, taken apart. */
export type Filter =
  | { type: "and" | "or"; filters: readonly Filter[] }
  | { type: "not"; filter: Filter }
  | { type: "present"; path: AttributePath }
  | { type: "compare"; path: AttributePath; operator: Operator; value: Comparison }
  /** `emails[type eq "work"]`: one value has to satisfy all of it. */
  | { type: "some"; path: AttributePath; filter: Filter };

/** Enough for any IdP; a hostile one gets no work done by us. */
const MOST_CHARACTERS = 2000;
const MOST_TERMS = 50;
const DEEPEST = 10;

/**
 * Reads a filter by the grammar of RFC 7644 §3.4.2.2, in one pass. `within` is for what stands in brackets. Throws a
 * `ScimError` with `invalidFilter`, or with `wrong` where it is part of a path.
 */
export function parseFilter(
  schema: ResourceSchema,
  text: string,
  { within, wrong = "invalidFilter" }: { within?: AttributePath; wrong?: ScimType } = {},
): Filter {
  if (text.length > MOST_CHARACTERS)
    throw badRequest(wrong, `A filter has at most ${MOST_CHARACTERS} characters.`);
  const parser = new Parser(schema, tokenise(text, wrong), wrong);
  const filter = parser.or(within, 0);
  parser.end();
  return filter;
}

interface Token {
  type: "word" | "string" | "number" | "tail" | "(" | ")" | "[" | "]";
  text: string;
}

/** Sticky, and each alternative begins with a character of its own: nothing here is tried twice. */
const TOKEN =
  /[ \t]*(?:(?<string>"(?:[^"\\]|\\.)*")|(?<bracket>[()[\]])|(?<tail>\.[A-Za-z$][A-Za-z0-9_-]*)|(?<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.])|(?<word>[A-Za-z$][A-Za-z0-9$_.:+~-]*))/y;

function tokenise(text: string, wrong: ScimType): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  const end = text.trimEnd().length;
  for (let at = 0; at < end; at = TOKEN.lastIndex) {
    TOKEN.lastIndex = at;
    const groups = TOKEN.exec(text)?.groups;
    if (groups === undefined) throw badRequest(wrong, `The filter is not understood at character ${at + 1}.`);
    const { string, bracket, number, word, tail } = groups;
    if (string !== undefined) tokens.push({ type: "string", text: string });
    else if (bracket !== undefined) tokens.push({ type: bracket as "(", text: bracket });
    else if (tail !== undefined) tokens.push({ type: "tail", text: tail.slice(1) });
    else if (number !== undefined) tokens.push({ type: "number", text: number });
    else tokens.push({ type: "word", text: word ?? "" });
  }
  return tokens;
}

class Parser {
  readonly #schema: ResourceSchema;
  readonly #tokens: readonly Token[];
  readonly #wrong: ScimType;
  #next = 0;
  #terms = 0;

  constructor(schema: ResourceSchema, tokens: readonly Token[], wrong: ScimType) {
    this.#schema = schema;
    this.#tokens = tokens;
    this.#wrong = wrong;
  }

  or(within: AttributePath | undefined, depth: number): Filter {
    if (depth > DEEPEST) throw this.#error(`A filter is at most ${DEEPEST} levels deep.`);
    return this.#joined("or", () => this.#joined("and", () => this.#term(within, depth)));
  }

  end(): void {
    if (this.#next < this.#tokens.length) throw this.#error("The filter goes on after its end.");
  }

  #joined(type: "and" | "or", one: () => Filter): Filter {
    const filters = [one()];
    while (this.#isWord(type)) {
      this.#next++;
      filters.push(one());
    }
    return filters.length === 1 && filters[0] !== undefined ? filters[0] : { type, filters };
  }

  #term(within: AttributePath | undefined, depth: number): Filter {
    if (++this.#terms > MOST_TERMS) throw this.#error(`A filter has at most ${MOST_TERMS} terms.`);
    if (this.#isWord("not") && this.#tokens[this.#next + 1]?.type === "(") {
      this.#next++;
      return { type: "not", filter: this.#grouped("(", ")", within, depth) };
    }
    if (this.#tokens[this.#next]?.type === "(") return this.#grouped("(", ")", within, depth);
    const path = this.#path(within);
    if (this.#tokens[this.#next]?.type === "[") {
      const { attribute } = path;
      if (
        within !== undefined ||
        attribute === undefined ||
        attribute.type !== "complex" ||
        path.sub !== undefined
      )
        throw this.#error("Brackets stand only behind a complex attribute, and not in one another.");
      const filter = this.#grouped("[", "]", path, depth);
      return { type: "some", path, filter: this.#tail(path, filter) };
    }
    return this.#comparison(path);
  }

  /** `emails[type eq "work"].value eq "…"`, which Entra ID asks for, says of the same value one thing more. */
  #tail(within: AttributePath, filter: Filter): Filter {
    const token = this.#tokens[this.#next];
    if (token?.type !== "tail") return filter;
    this.#next++;
    const path = parsePath(this.#schema, token.text, within);
    if (typeof path === "string") throw this.#error(`There is no attribute ${token.text.slice(0, 100)}.`);
    return { type: "and", filters: [filter, this.#comparison(path)] };
  }

  #grouped(open: "(" | "[", close: ")" | "]", within: AttributePath | undefined, depth: number): Filter {
    this.#take(open);
    const filter = this.or(within, depth + 1);
    this.#take(close);
    return filter;
  }

  #comparison(path: AttributePath): Filter {
    const name = this.#take("word").text.toLowerCase();
    if (name === "pr") return { type: "present", path };
    const operator = OPERATORS.find((one) => one === name);
    if (operator === undefined) throw this.#error(`There is no operator ${name.slice(0, 20)}.`);
    return { type: "compare", path, operator, value: this.#value() };
  }

  #value(): Comparison {
    const token = this.#tokens[this.#next++];
    const text = token?.type === "word" ? token.text.toLowerCase() : token?.text;
    if (
      token?.type === "string" ||
      token?.type === "number" ||
      ["true", "false", "null"].includes(text ?? "")
    ) {
      try {
        return JSON.parse(text ?? "") as Comparison;
      } catch {
        // Falls through: an escape that JSON does not know.
      }
    }
    throw this.#error("A value is text in quotes, a number, true, false or null.");
  }

  #path(within: AttributePath | undefined): AttributePath {
    const { text } = this.#take("word");
    const path = parsePath(this.#schema, text, within);
    if (typeof path === "string" || path.attribute === undefined)
      throw this.#error(`There is no attribute ${text.slice(0, 100)}.`);
    return path;
  }

  #take(type: Token["type"]): Token {
    const token = this.#tokens[this.#next];
    if (token?.type !== type) {
      const what = type === "word" ? "a name" : type;
      throw this.#error(`Where the filter has ${token?.text.slice(0, 20) ?? "its end"}, ${what} is missing.`);
    }
    this.#next++;
    return token;
  }

  #isWord(text: string): boolean {
    const token = this.#tokens[this.#next];
    return token?.type === "word" && token.text.toLowerCase() === text;
  }

  #error(detail: string): ScimError {
    return badRequest(this.#wrong, detail);
  }
}
