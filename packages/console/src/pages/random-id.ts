/** `crypto.randomUUID` exists only in secure contexts; a console on another machine's plain HTTP has none. */
export const randomId = (): string => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('')
