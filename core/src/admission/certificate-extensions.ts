/** Extensions that a Sallyport user certificate carries (PROTOCOL.certkeys, "Extensions": name@domain). */
export const BINDING_EXTENSION = "binding@sallyport.dev";
export const ID_TOKEN_EXTENSION = "id-token@sallyport.dev";

/** The one principal in every user certificate, and the one that the host answers to sshd. */
export const PRINCIPAL = "sallyport";
