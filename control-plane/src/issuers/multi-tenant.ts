const ENTRA_HOSTS = [
  "login.microsoftonline.com",
  "login.microsoftonline.us",
  "login.partner.microsoftonline.cn",
  "login.windows.net",
  "sts.windows.net",
  "sts.microsoftonline.us",
  "sts.chinacloudapi.cn",
];
const TENANT = /^\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:\/v2\.0|\/)$/;
/** The tenant of personal Microsoft accounts: anybody can be in it. */
const PERSONAL_ACCOUNTS = "9188040d-6c67-4c5b-b112-36a304b66dad";

/**
 * The tenant (`tid`) that an issuer of Entra ID names: `…/TENANT/v2.0` (v2.0 tokens) or `sts.windows.net/TENANT/` (v1.0).
 * Null for an issuer that stands for many tenants, or whose form no token has.
 */
export function entraTenant(issuer: string): string | null {
  const { hostname, pathname } = new URL(issuer);
  const tenant = TENANT.exec(pathname)?.[1] ?? null;
  const known = ENTRA_HOSTS.includes(hostname) || hostname.endsWith(".ciamlogin.com");
  const isV1 = hostname.startsWith("sts.");
  if (!known || tenant === null || tenant === PERSONAL_ACCOUNTS) return null;
  return pathname.endsWith("/v2.0") === isV1 ? null : tenant;
}

/** True for an issuer at which tenants of Entra ID sign in, whichever of them. */
export function isEntra(issuer: string): boolean {
  const { hostname } = new URL(issuer);
  return ENTRA_HOSTS.includes(hostname) || hostname.endsWith(".ciamlogin.com");
}
