/** Security Mode, /0/x/2 (LwM2M Core 1.1, Object 0). */
export const SECURITY_MODE = { psk: 0, rpk: 1, x509: 2, nosec: 3, est: 4 } as const;
