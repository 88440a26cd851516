/** Where text goes. `process.stdout` and `process.stderr` fit; tests pass something that remembers. */
export interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(chunk: string | Uint8Array): boolean;
}

/** All that a command knows of the world outside it. Only `main.ts` fills it in from the process. */
export interface Context {
  /** `SALLYPORT_HOME`, absolute. */
  readonly home: string;
  /** The user's own home directory, for `~/.ssh/config`. */
  readonly userHome: string;
  /** `SALLYPORT_TOKEN`, which is not in `env`: no program that is started gets it. */
  readonly apiToken?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly uid: number;
  readonly platform: string;
  /** Absolute path of the running Node, and of `main.ts`: what an ssh_config calls back. */
  readonly nodePath: string;
  readonly mainPath: string;
  /** Whether somebody types there. */
  readonly stdin?: { readonly isTTY?: boolean };
  readonly stdout: Output;
  readonly stderr: Output;
  /** Asks the person at the terminal; missing where nobody is there to answer. */
  readonly ask?: (question: string) => Promise<string>;
  /** Milliseconds since the epoch. */
  now(): number;
}

/** The clock in whole seconds since the epoch. */
export function nowSeconds(context: Pick<Context, "now">): number {
  return Math.floor(context.now() / 1000);
}
