/** Extensions that a Sallyport user certificate carries (PROTOCOL.certkeys, "Extensions": name@domain). */
export const BINDING_EXTENSION = "binding@sallyport.dev";
export const ID_TOKEN_EXTENSION = "id-token@sallyport.dev";
/** In a renewed certificate: an ID token got by a refresh, beside that of the sign-in. */
export const FRESH_ID_TOKEN_EXTENSION = "fresh-id-token@sallyport.dev";

/** The one principal in every user certificate, and the one that the host answers to sshd. */
export const PRINCIPAL = "sallyport";
