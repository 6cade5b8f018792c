/** Address and port as one text, an IPv6 address in brackets: `127.0.0.1:53`, `[::1]:53`. */
export function addressAndPort({ address, port }: { readonly address: string; readonly port: number }): string {
  return `${address.includes(":") ? `[${address}]` : address}:${port}`;
}

/** Whether an address, without brackets, is one of this host's own, which nobody else reaches. */
export function isLoopback(address: string): boolean {
  return address === "::1" || /^127(\.\d{1,3}){3}$/.test(address);
}
