import pg from "pg";

/** pg's names of the types that PostgreSQL sends as text and `pg` leaves as text. */
const { INT8, NUMERIC } = pg.types.builtins;

/**
 * Parsers for our connections only: bigint and numeric come as numbers, as from SQLite. One that a number cannot hold
 * exactly is a `RangeError`, never another number.
 */
export const numbersAsNumbers: pg.CustomTypesConfig = {
  getTypeParser: (type, format) => {
    if (type === INT8 || type === NUMERIC) return exactNumber;
    return pg.types.getTypeParser(type, format);
  },
};

function exactNumber(text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number)) return number;
  if (text.includes(".") && Number.isFinite(number)) return number;
  throw new RangeError("the database holds a number that is too large");
}
