import type { OfferedIssuer } from "./choose-issuer.ts";

/** True where the refresh token of a sign-in goes to the control plane, which asks with it whether the person is still theirs. */
export function isHandedOver({ refreshTokenKeeper }: Pick<OfferedIssuer, "refreshTokenKeeper">): boolean {
  return refreshTokenKeeper === "control-plane";
}

/** The scopes to ask for, with `offline_access` where that is of use: providers that do not list it may refuse the whole request for it. */
export function scopeFor(
  { scope }: Pick<OfferedIssuer, "scope">,
  wantsRefreshToken: boolean,
  supported: readonly string[] | undefined,
): string {
  const asked = scope.split(" ").includes("offline_access");
  return wantsRefreshToken && !asked && supported?.includes("offline_access")
    ? `${scope} offline_access`
    : scope;
}
