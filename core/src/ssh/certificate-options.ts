import { decodeText, malformed, SshReader, SshWriter } from "./wire.ts";

/** What an option's name may look like: 1 to 128 characters of ASCII without spaces, as in RFC 4251 §6. */
const OPTION_NAME = /^[\x21-\x7e]{1,128}$/;

/**
 * Reads the "critical options" or "extensions" of a certificate (PROTOCOL.certkeys): name to value, the value taken
 * out of the SSH string that OpenSSH wraps it in; empty for a flag. An empty wrapped value, which nobody writes on
 * purpose, reads as a flag too. Code `ssh-malformed`, also for names out of order or twice.
 */
export function readOptions(bytes: Uint8Array): Map<string, Uint8Array> {
  const reader = new SshReader(bytes);
  const options = new Map<string, Uint8Array>();
  let previous = "";
  while (reader.remaining > 0) {
    const name = reader.text();
    if (!OPTION_NAME.test(name)) throw malformed("The name of a certificate option is not plain ASCII.");
    // Names are ASCII, so the order of code units is the order of bytes. Equal names are refused here as well.
    if (name <= previous)
      throw malformed("The options of a certificate are not sorted, or one is there twice.");
    options.set(name, readValue(reader.string()));
    previous = name;
  }
  return options;
}

/** Writes what {@link readOptions} reads, sorted. A name that it would refuse is a `TypeError`. */
export function writeOptions(options: ReadonlyMap<string, Uint8Array>): Uint8Array {
  const writer = new SshWriter();
  for (const [name, value] of [...options].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (!OPTION_NAME.test(name))
      throw new TypeError("the name of a certificate option is plain ASCII, at most 128");
    writer.text(name).string(value.length === 0 ? value : new SshWriter().string(value).bytes());
  }
  return writer.bytes();
}

/** Values as text, the way critical options are used. Code `ssh-malformed` for what is not UTF-8. */
export function decodeValues(options: ReadonlyMap<string, Uint8Array>): Map<string, string> {
  return new Map([...options].map(([name, value]) => [name, decodeText(value)]));
}

/** The inverse of {@link decodeValues}. Text that it could not give back is a `TypeError`. */
export function encodeValues(options: ReadonlyMap<string, string>): Map<string, Uint8Array> {
  return new Map([...options].map(([name, value]) => [name, encodeText(value)]));
}

function readValue(data: Uint8Array): Uint8Array {
  if (data.length === 0) return data;
  const reader = new SshReader(data);
  const value = reader.string();
  reader.end();
  return value;
}

function encodeText(value: string): Uint8Array {
  return new SshReader(new SshWriter().text(value).bytes()).string();
}
