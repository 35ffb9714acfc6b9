import { randomBytes } from 'node:crypto'

/** At least 0, less than 1. For jitter; never for secrets. */
export const random = (): number => Math.random()

/** `bytes` bytes from the system's generator, in base64url. For secrets. */
export const secret = (bytes = 32): string => randomBytes(bytes).toString('base64url')

/** As they are, for keys. */
export const secretBytes = (bytes: number): Buffer => randomBytes(bytes)
