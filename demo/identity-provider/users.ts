import { createHash, timingSafeEqual } from "node:crypto";

/** A person as the demo's IdP knows them. */
export type DemoUser = {
  /** What is typed as user name. */
  name: string;
  password: string;
  email: string;
  /** Default true. */
  emailVerified?: boolean;
  /** Asked for a one-time code after the password. */
  mfa: boolean;
  /** The subject in tokens: opaque, never the user name, as with real IdPs. */
  sub: string;
};

/** The one-time code that the demo accepts, and shows on the page: there is no phone in a demo. */
export const DEMO_CODE = "123456";

/** The users of one IdP, and which of them are disabled. */
export class UserDirectory {
  readonly #byName = new Map<string, DemoUser>();
  readonly #bySub = new Map<string, DemoUser>();
  readonly #disabled = new Set<string>();

  constructor(users: readonly DemoUser[]) {
    for (const user of users) {
      if (this.#byName.has(user.name) || this.#bySub.has(user.sub))
        throw new TypeError(`two users share the name ${user.name} or the subject ${user.sub}`);
      this.#byName.set(user.name, user);
      this.#bySub.set(user.sub, user);
    }
  }

  /** The user, if name and password belong together; which of the two was wrong is not told. */
  authenticate(name: string, password: string): DemoUser | undefined {
    const user = this.#byName.get(name);
    return sameText(password, user?.password ?? "") && user ? user : undefined;
  }

  bySubject(sub: string): DemoUser | undefined {
    return this.#bySub.get(sub);
  }

  isDisabled(sub: string): boolean {
    return this.#disabled.has(sub);
  }

  setDisabled(sub: string, disabled: boolean): void {
    if (!this.#bySub.has(sub)) throw new TypeError(`no user has the subject ${sub}`);
    if (disabled) this.#disabled.add(sub);
    else this.#disabled.delete(sub);
  }
}

/** Compares without telling by its duration how far the texts agree. */
export function sameText(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
