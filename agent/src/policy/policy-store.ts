import { existsSync, readFileSync } from "node:fs";
import { SallyportError } from "@sallyport/core/errors.ts";
import type { Trust } from "@sallyport/core/messages/trust.ts";
import type { Bundle, Lease } from "@sallyport/core/policy/bundle.ts";
import type { LocalPolicy } from "@sallyport/core/policy/local-policy.ts";
import type { Revocation, RevocationLookup } from "@sallyport/core/policy/revocation.ts";
import { writeFileDurably } from "@sallyport/uplink/spool/durable.ts";
import { decodeProtectedHeader } from "jose";
import { InsideRevocations } from "./inside-revocations.ts";
import { readNewest, writeNewest } from "./newest-policy.ts";
import {
  type Addressee,
  namedSequences,
  namedVersion,
  ofBundle,
  type Statement,
  verifyOwnBundle,
  verifyOwnLease,
} from "./policy-documents.ts";
import { RevocationList, type Standing } from "./revocation-list.ts";

/** Why the newest lease does not count yet. */
export interface LeaseAside {
  /** The number of the list that it holds with. */
  sequence: number;
  standing: Exclude<Standing, "same">;
}

/**
 * The policy that this host goes by: the newest bundle that a pinned key signed, its lease, and the revocations. Kept on disk as it
 * was signed, so that a restart without a control plane admits what it may. What the newest was is kept beside it: an older one that
 * was put in its place is refused, now and after a restart. A lease counts only while the revocation list here is the one it names.
 */
export class PolicyStore {
  readonly #path: string;
  readonly #newestPath: string;
  #addressee: Addressee;
  #signedBy: string | undefined;
  #signedAt = 0;
  /** What the host's own administrator takes from it, for sessions that run; the agent sets it. */
  local: () => readonly LocalPolicy[] = () => [];
  #bundle: Bundle | null = null;
  #leaseUntil = 0;
  /** The number of the list that the last document named that counted. */
  #vouched = 0;
  /** Documents whose list is not ours yet; the newest of each kind. */
  #aside: Statement[] = [];
  /** The list, apart from the bundle. */
  readonly list: RevocationList;
  /** The list of a bundle that has it inside, and what was pushed one by one. */
  readonly #inside: InsideRevocations;
  /** Everything that is revoked here, wherever it stands. */
  readonly revocations: RevocationLookup & { readonly sequence: number; readonly size: number };

  /** `now`: seconds since the epoch. */
  constructor(path: string, hostId: string, policyKeys: Trust["policyKeys"], now?: () => number) {
    this.#path = path;
    this.#newestPath = `${path}.newest`;
    this.#addressee = { hostId, policyKeys };
    const list = new RevocationList(`${path}.list`, now);
    const inside = new InsideRevocations(`${path}.revocations`);
    this.list = list;
    this.#inside = inside;
    this.revocations = {
      find: (subject) => list.find(subject) ?? inside.find(subject),
      get sequence() {
        return Math.max(list.sequence, inside.sequence);
      },
      get size() {
        return list.size + inside.size;
      },
    };
  }

  /** From now on policy is what these keys sign; what is in force stays so. */
  trust(policyKeys: Trust["policyKeys"]): void {
    this.#addressee = { ...this.#addressee, policyKeys };
  }

  /** `kid` of the key that signed the bundle on the disk. */
  get signedBy(): string | undefined {
    return this.#signedBy;
  }

  get bundle(): Bundle | null {
    return this.#bundle;
  }

  get leaseUntil(): number {
    return this.#leaseUntil;
  }

  /** When the newest document here was signed, by the control plane's clock: it is later now. Seconds; 0 for none. */
  get signedAt(): number {
    return this.#signedAt;
  }

  /** A document that would prolong the lease if the list here were the one that it names; null when there is none. */
  get aside(): LeaseAside | null {
    const newest = this.#aside.toSorted((a, b) => a.issuedAt - b.issuedAt).at(-1);
    if (newest === undefined) return null;
    const standing = this.#standing(newest);
    return standing === "same" ? null : { sequence: newest.sequence, standing };
  }

  /**
   * Loads what was there before a restart. A damaged or foreign bundle counts as none, and so does one that is
   * older than what this host had, and any bundle when the pushed revocations cannot be read: they might be of anybody. Codes as {@link accept}, and `message-malformed`.
   */
  async load(): Promise<void> {
    const [jws = "", lease] = existsSync(this.#path) ? readFileSync(this.#path, "utf8").split("\n") : [];
    this.list.load([jws, lease ?? ""].flatMap(namedSequences));
    this.#inside.load();
    if (!existsSync(this.#path)) return;
    const bundle = await verifyOwnBundle(jws, this.#addressee);
    const inside = bundle.revocationChain === undefined ? bundle.revocationSequence : 0;
    this.#mustBeNewest(bundle, Math.max(inside, this.revocations.sequence));
    this.#apply(bundle);
    this.#judge(ofBundle(bundle, jws));
    this.#signedBy = decodeProtectedHeader(jws).kid;
    if (lease) this.#judge(await this.#verifyLease(lease));
  }

  /** Takes a new bundle. Codes `bundle-bad-signature`, `bundle-wrong-host`, `bundle-older`: then nothing changes. */
  async accept(jws: string): Promise<Bundle> {
    const bundle = await verifyOwnBundle(jws, this.#addressee);
    this.#mustBeNewest(bundle, Number.POSITIVE_INFINITY);
    // In force before it is stored: a disk that somebody has filled must not keep an older policy alive.
    const before = this.#inside.entries();
    this.#apply(bundle);
    if (bundle.revocationChain !== undefined) this.#keepApart(before);
    this.#judge(ofBundle(bundle, jws));
    writeFileDurably(this.#path, `${jws}\n`);
    if (bundle.revocationChain !== undefined) this.#inside.removeFile();
    this.#signedBy = decodeProtectedHeader(jws).kid;
    this.#noteNewest(bundle);
    return bundle;
  }

  /** Takes a lease for the bundle we have; it counts when the list is the one that it names. Same codes as {@link accept}. */
  async renew(jws: string): Promise<Lease> {
    const statement = await this.#verifyLease(jws);
    this.#judge(statement);
    // One of before is no reason to forget a newer one.
    if (!this.#aside.includes(statement) && statement.issuedAt >= this.#signedAt) this.#store(statement);
    return statement.lease;
  }

  /** The list has changed: documents that were put aside are judged anew. Says whether access was given back to anybody. */
  settle(): boolean {
    const aside = this.#aside;
    this.#aside = [];
    let lifted = false;
    for (const statement of aside.toSorted((a, b) => a.issuedAt - b.issuedAt)) {
      if (statement.bundleVersion !== this.#bundle?.version) continue;
      lifted = this.#judge(statement) || lifted;
      if (statement.kind === "lease" && !this.#aside.includes(statement)) this.#store(statement);
    }
    return lifted;
  }

  /** Takes a revocation that was pushed; it only ever narrows, so the authenticated link is enough. */
  revoke(entry: Revocation): void {
    // On the disk before it is acknowledged: an agent that is killed now must not forget it.
    this.#inside.push(entry);
    if (this.#bundle !== null) this.#noteNewest(this.#bundle);
  }

  /** Counts a document's lease where its list is ours, and goes by what it vouches for; says whether that gave access back. */
  #judge(statement: Statement): boolean {
    const { kind, chain, sequence, issuedAt, leaseUntil } = statement;
    const newest = issuedAt >= this.#signedAt;
    this.#signedAt = Math.max(this.#signedAt, issuedAt);
    if (this.#standing(statement) !== "same") {
      this.#aside = [...this.#aside.filter((one) => one.kind !== kind), statement];
      return false;
    }
    this.#aside = this.#aside.filter((one) => one.issuedAt > issuedAt);
    this.#leaseUntil = Math.max(this.#leaseUntil, leaseUntil);
    if (chain === undefined) return false;
    this.#vouched = newest ? sequence : Math.max(this.#vouched, sequence);
    return this.list.vouch(sequence, issuedAt, newest);
  }

  #standing({ kind, chain, sequence }: Statement): Standing {
    if (chain !== undefined) return this.list.standing({ sequence, chain });
    // One of before lists were kept apart: its bundle has the whole of it, and a lease for another bundle would be of an older time.
    if (kind === "bundle") return "same";
    if (this.#bundle?.revocationChain !== undefined) return "unknown";
    return sequence <= this.revocations.sequence || sequence <= (this.#bundle?.revocationSequence ?? 0)
      ? "same"
      : "behind";
  }

  #store({ jws, bundleVersion }: Statement): void {
    const [bundle = ""] = readFileSync(this.#path, "utf8").split("\n");
    // The newest bundle may be in force without being on the disk: a lease of another one makes no sense there.
    if (namedVersion(bundle) !== bundleVersion) return;
    writeFileDurably(this.#path, `${bundle}\n${jws}\n`);
    if (this.#bundle !== null) this.#noteNewest(this.#bundle);
  }

  #mustBeNewest(bundle: Bundle, revocationSequence: number): void {
    const newest = readNewest(this.#newestPath, this.#addressee.hostId);
    const version = Math.max(newest.version, this.#bundle?.version ?? 0);
    if (bundle.version < version) {
      throw new SallyportError("bundle-older", `Bundle ${bundle.version} is older than ${version}.`);
    }
    if (revocationSequence < newest.revocationSequence) {
      throw new SallyportError(
        "bundle-older",
        `Bundle ${bundle.version} has revocations up to ${revocationSequence}, and there were ${newest.revocationSequence}.`,
      );
    }
  }

  /** After the files it speaks of: a crash in between makes them newer than it says, never older. */
  #noteNewest({ version, revocationSequence, revocationChain }: Bundle): void {
    const known = revocationChain === undefined ? revocationSequence : this.#vouched;
    const sequence = Math.max(known, ...this.#inside.pushed);
    const { hostId } = this.#addressee;
    writeNewest(this.#newestPath, { v: 1, hostId, version, revocationSequence: sequence });
  }

  #apply(bundle: Bundle): void {
    this.#bundle = bundle;
    this.#aside = [];
    if (bundle.revocationChain !== undefined) return;
    this.#inside.apply(bundle);
    this.list.known = bundle.revocationSequence;
  }

  /** What the bundle before had inside is kept with the list, until that is signed for: the new bundle says nothing of it. */
  #keepApart(entries: readonly Revocation[]): void {
    try {
      this.list.supersede(entries);
    } catch {
      return; // no room, and so none for the bundle either: what is in memory stays in force
    }
    this.#inside.clear();
  }

  #verifyLease(jws: string): ReturnType<typeof verifyOwnLease> {
    return verifyOwnLease(jws, this.#addressee, () => this.#bundle?.version);
  }
}
