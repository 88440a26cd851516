/** A limit is looser when it is higher, or gone (null). */
export function isLooser(before: number | null, after: number | null): boolean {
  return before !== null && (after === null || after > before);
}
