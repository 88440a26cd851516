/** How the control plane's program is called, for help and hints: from the directory of Sallyport. */
export const PROGRAM_NAME = "node control-plane/src/main.ts";
