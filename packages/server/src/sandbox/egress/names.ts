/** A host's name in its one form, or undefined for what is no name: an address in whatever notation, a single word, letters that look like others. */
export function normalHost(text: string): string | undefined {
  const name = text.toLowerCase().replace(/\.$/, '')
  if (name.length > 253 || !/^[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})+$/.test(name)) return undefined
  // Where the last part is a number, resolvers take the whole for an address: 127.1, 0x7f.1, 10.0.0.0x1.
  return /^(0x[0-9a-f]*|\d+)$/.test(name.slice(name.lastIndexOf('.') + 1)) ? undefined : name
}

/** `host:port` as CONNECT and Host have it. */
export function splitHost(text: string, portDefault: number): { host: string; port: number } | undefined {
  const [, name = '', digits] = /^([^:/?#@\s]+)(?::(\d{1,5}))?$/.exec(text) ?? []
  const host = normalHost(name)
  const port = digits === undefined ? portDefault : Number(digits)
  return host && port >= 1 && port <= 65_535 ? { host, port } : undefined
}
