import { z } from "zod";

/**
 * How a device proves who it is: a pre-shared key, an X.509 certificate, a raw public key (RFC 7250), or not at all,
 * which only listeners serve that the configuration says so of.
 */
export type SecurityMode = "psk" | "x509" | "rpk" | "nosec";

export const SECURITY_MODES: readonly [SecurityMode, ...SecurityMode[]] = ["psk", "x509", "rpk", "nosec"];

export const SecurityModeSchema: z.ZodType<SecurityMode> = z.enum(SECURITY_MODES);
