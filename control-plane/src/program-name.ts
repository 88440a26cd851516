/** The bundler puts the version here; run from its sources, the program has none. */
declare const SALLYPORT_VERSION: string | undefined;

/** How the control plane's program is called, for help and hints: as installed, or from the directory of Sallyport. */
export const PROGRAM_NAME =
  typeof SALLYPORT_VERSION === "string" ? "sallyport-control-plane" : "node control-plane/src/main.ts";
