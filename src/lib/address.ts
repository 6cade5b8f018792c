/** Address and port as one text, an IPv6 address in brackets: `127.0.0.1:53`, `[::1]:53`. */
export function addressAndPort({ address, port }: { readonly address: string; readonly port: number }): string {
  return `${address.includes(":") ? `[${address}]` : address}:${port}`;
}
