import { createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { recordingFrames, verifyRecording } from "@sallyport/core/recording/chain.ts";
import type { Frame } from "@sallyport/core/recording/frame.ts";
import type { ListedSession } from "../../../fixtures/sessions.ts";
import type { Person, World } from "../../../fixtures/world.ts";

/** What the control plane stores, asked as `sallyport` asks it but without a process for each question. */
export class StoredRecordings {
  readonly #url: string;
  readonly #headers: Record<string, string>;

  /** `person` is signed in. */
  constructor(world: World, person: Person) {
    const state = JSON.parse(readFileSync(join(person.home, "sign-in.json"), "utf8")) as { apiToken: string };
    this.#url = `${world.url}/api/v1/sessions`;
    this.#headers = { authorization: `Bearer ${state.apiToken}` };
  }

  /** Every session that the person may see. */
  async list(): Promise<ListedSession[]> {
    return (await (await this.#get("?limit=1000")).json()) as ListedSession[];
  }

  /** The frames of a recording, after it has been verified as `sallyport verify` does it: whole, chained, signed, ended. */
  async verified(id: string): Promise<Frame[]> {
    const answer = await this.#get(`/${id}/recording`);
    const x = answer.headers.get("x-sallyport-host-key") ?? "";
    const key = createPublicKey({ format: "jwk", key: { kty: "OKP", crv: "Ed25519", x } });
    const bytes = Buffer.from(await answer.arrayBuffer());
    verifyRecording(bytes, key);
    return [...recordingFrames(bytes)];
  }

  async #get(path: string): Promise<Response> {
    const answer = await fetch(`${this.#url}${path}`, { headers: this.#headers });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer;
  }
}
