import { setTimeout as pause } from "node:timers/promises";
import type { CertificateResponse } from "@sallyport/core/messages/client-api.ts";
import { SignJWT } from "jose";
import { type Answer, type ClientKey, call, certificateRequest, makeClientKey } from "./client.ts";
import type { KillablePlane } from "./killable-plane.ts";

/** Between two attempts, in milliseconds. */
const AGAIN = 25;

/** An answer, and after how many attempts that were not answered: each of them may have been carried out. */
export interface Persisted extends Answer {
  unanswered: number;
}

/** A certificate that somebody has, and what it was asked for with. */
export interface Issued {
  answer: CertificateResponse;
  request: ReturnType<typeof certificateRequest>;
  key: ClientKey;
}

/** A client that asks again, in the same words, whatever was not answered: a link that broke, or an error of the server's own. */
export class PersistentClient {
  readonly plane: KillablePlane;
  /** Answers that clients had, for knowing that something happens. */
  answered = 0;

  constructor(plane: KillablePlane) {
    this.plane = plane;
  }

  async ask(method: string, path: string, options: Parameters<typeof call>[3] = {}): Promise<Persisted> {
    for (let unanswered = 0; ; unanswered++) {
      const answer = await this.once(method, path, options);
      if (answer !== undefined) return { ...answer, unanswered };
      if (this.plane.isClosed) throw new Error("the control plane is closed");
      await pause(AGAIN);
    }
  }

  /** One attempt; undefined where it was not answered. */
  async once(...request: [string, string, Parameters<typeof call>[3]?]): Promise<Answer | undefined> {
    const answer = await call(this.plane.url, ...request).catch(() => undefined);
    if (answer === undefined || answer.status >= 500) return undefined;
    this.answered++;
    return answer;
  }

  async challenge(): Promise<string> {
    return ((await this.ask("POST", "/challenges", { body: {} })).body as { challenge: string }).challenge;
  }

  /** An ID token as the IdP would sign it, which is quicker than to ask it. */
  async idToken(name: string, nonce: string): Promise<string> {
    const { signingKey, issuer } = this.plane.idp;
    const now = Math.floor(Date.now() / 1000);
    const email = `${name}@${name.startsWith("m") ? "vendor" : "acme"}.test`;
    return new SignJWT({ nonce, email, email_verified: true, name, amr: ["mfa"], auth_time: now })
      .setProtectedHeader({ alg: "RS256", kid: signingKey.kid })
      .setIssuer(issuer)
      .setSubject(name)
      .setAudience("sallyport-cli")
      .setIssuedAt(now)
      .setExpirationTime(now + 3600)
      .sign(signingKey.privateKey);
  }

  /** Asks for a certificate until there is an answer: what was issued, or that the ID token was used by an unanswered attempt. */
  async signIn(
    name: string,
  ): Promise<{ key: ClientKey; issued: Issued | undefined; refusal: Persisted | undefined }> {
    const key = makeClientKey();
    const request = certificateRequest(key, await this.idToken(name, key.nonce), await this.challenge());
    const answer = await this.ask("POST", "/certificates", { body: request });
    if (answer.status !== 201) return { key, issued: undefined, refusal: answer };
    const issued = { answer: answer.body as CertificateResponse, request, key };
    return { key, issued, refusal: undefined };
  }

  /** An API token of somebody who signs in until it is answered with one. */
  async token(name: string): Promise<{ token: string; memberId: string | null; issued: Issued }> {
    for (;;) {
      const { issued } = await this.signIn(name);
      if (issued !== undefined)
        return { token: issued.answer.apiToken, memberId: issued.answer.me.memberId, issued };
    }
  }
}
