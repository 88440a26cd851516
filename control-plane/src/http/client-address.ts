import { BlockList, isIP } from "node:net";

/** Where a request comes from: the connection says it, or a proxy that the configuration trusts. */
export class ClientAddresses {
  readonly #proxies = new BlockList();

  /** `networks` in CIDR notation. */
  constructor(networks: readonly string[]) {
    for (const network of networks) {
      const [address = "", prefix] = network.split("/");
      this.#proxies.addSubnet(address, Number(prefix), family(address));
    }
  }

  /**
   * The client's address. Each trusted proxy appends whom it heard to `X-Forwarded-For`, so it is read from the right as far as
   * proxies are trusted; what is further left anybody may have written.
   */
  of(connection: string | undefined, forwardedFor: string | undefined): string {
    let client = plain(connection ?? "");
    const hops = (forwardedFor ?? "").slice(-MAX_HEADER).split(",");
    while (this.#isProxy(client)) {
      const hop = plain(hops.pop()?.trim() ?? "");
      if (isIP(hop) === 0) break;
      client = hop;
    }
    return client === "" ? "unknown" : client;
  }

  #isProxy(address: string): boolean {
    return isIP(address) !== 0 && this.#proxies.check(address, family(address));
  }
}

const MAX_HEADER = 2000;

/** What limits count by: an address, or for IPv6 its /64, as whoever has one address there has all of them. */
export function limitKey(address: string): string {
  if (isIP(address) !== 6) return address;
  const [head = "", tail] = address.split("%")[0]?.split("::") ?? [];
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  const groups = [...left, ...Array<string>(zeros).fill("0"), ...right];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":")}::/64`;
}

/** IPv4 that an IPv6 socket heard is written as IPv4. */
function plain(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, "");
}

function family(address: string): "ipv4" | "ipv6" {
  return isIP(address) === 6 ? "ipv6" : "ipv4";
}
