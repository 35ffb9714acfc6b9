/** Which host a pattern of an allow-list means, and which private ones an operator has opened. */

/** `host` as `URL.hostname` gives it. `*` means every host: whether its address is public is decided where it is dialled. */
export function isAllowedHost(patterns: readonly string[], host: string): boolean {
  return patterns.some(
    (pattern) => pattern === '*' || pattern === host || (pattern.startsWith('*.') && host.endsWith(pattern.slice(1)) && host.length > pattern.length - 1),
  )
}

/** Of `host` or `host:port`, with an IPv6 address in brackets, separated by commas. */
export const parseHosts = (text: string): string[] => text.split(',').flatMap((entry) => entry.trim().toLowerCase() || [])

/** Whether the operator's list opens this address although it is private. */
export function isOpened(privateHosts: readonly string[], url: URL): boolean {
  const port = url.port || (url.protocol === 'https:' ? '443' : '80')
  return privateHosts.some((entry) => entry === url.hostname || entry === `${url.hostname}:${port}`)
}
