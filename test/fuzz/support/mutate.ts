import fc from "fast-check";

/** One change to some bytes; positions count from the start and wrap round. */
export type Edit =
  | { what: "flip"; at: number; bit: number }
  | { what: "set"; at: number; bytes: Uint8Array }
  | { what: "insert"; at: number; bytes: Uint8Array }
  | { what: "remove"; at: number; length: number }
  | { what: "truncate"; at: number }
  | { what: "double"; at: number; length: number }
  | { what: "swap"; at: number; to: number; length: number };

const position = fc.nat({ max: 0x7fffffff });
const length = fc.oneof(fc.nat({ max: 8 }), fc.nat({ max: 300 }));
const small = fc.uint8Array({ minLength: 1, maxLength: 40, size: "max" });

/** A 32-bit number of the kind that overruns something, big-endian. */
export const awkwardLength: fc.Arbitrary<Uint8Array> = fc
  .oneof(
    fc.constantFrom(0, 1, 0x7f, 0xff, 0x100, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff),
    fc.nat({ max: 4096 }),
  )
  .map((value) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
  });

const edit: fc.Arbitrary<Edit> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ what: fc.constant("flip" as const), at: position, bit: fc.nat(7) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      what: fc.constant("set" as const),
      at: position,
      bytes: fc.oneof(small, awkwardLength),
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant("insert" as const), at: position, bytes: small }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant("remove" as const), at: position, length }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant("truncate" as const), at: position }) },
  { weight: 1, arbitrary: fc.record({ what: fc.constant("double" as const), at: position, length }) },
  {
    weight: 1,
    arbitrary: fc.record({ what: fc.constant("swap" as const), at: position, to: position, length }),
  },
);

/** One to four changes, one after the other. */
export const edits: fc.Arbitrary<Edit[]> = fc.array(edit, { minLength: 1, maxLength: 4, size: "max" });

/** The bytes with the changes made; never the same array. */
export function mutate(bytes: Uint8Array, changes: readonly Edit[]): Buffer {
  let result: Buffer = Buffer.from(bytes);
  for (const change of changes) result = apply(result, change);
  return result;
}

function apply(bytes: Buffer, change: Edit): Buffer {
  const at = bytes.length === 0 ? 0 : change.at % bytes.length;
  switch (change.what) {
    case "flip":
      if (bytes.length > 0) bytes[at] = (bytes[at] ?? 0) ^ (1 << change.bit);
      return bytes;
    case "set":
      bytes.set(change.bytes.subarray(0, bytes.length - at), at);
      return bytes;
    case "insert":
      return Buffer.concat([bytes.subarray(0, at), change.bytes, bytes.subarray(at)]);
    case "remove":
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + change.length)]);
    case "truncate":
      return bytes.subarray(0, at);
    case "double":
      return Buffer.concat([
        bytes.subarray(0, at + change.length),
        bytes.subarray(at, at + change.length),
        bytes.subarray(at + change.length),
      ]);
    case "swap": {
      const piece = Buffer.from(bytes.subarray(at, at + change.length));
      const rest = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + change.length)]);
      const to = rest.length === 0 ? 0 : change.to % rest.length;
      return Buffer.concat([rest.subarray(0, to), piece, rest.subarray(to)]);
    }
  }
}
