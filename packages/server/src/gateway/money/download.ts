/** A catalogue from an address that somebody gave: through the guarded way out, within bounds. */
import { AppError, StepFailure } from '../../kernel/index.ts'
import type { Download } from './catalogues.ts'

type WayOut = { fetch(url: string, init: RequestInit, rules: { hosts: readonly string[]; bytesMax: number }): Promise<Response> }

const bytesMax = 16 * 1024 * 1024
const msMax = 30_000

export const downloadWith =
  (egress: WayOut): Download =>
  async (url) => {
    try {
      const response = await egress.fetch(url, { signal: AbortSignal.timeout(msMax), headers: { accept: 'application/json' } }, { hosts: ['*'], bytesMax })
      if (response.status >= 300 && response.status < 400)
        throw new AppError('invalid', `${url} sends on to ${response.headers.get('location') ?? 'another address'}. Give that one.`)
      if (!response.ok) throw new AppError('invalid', `${url} answered with ${response.status}.`)
      return await response.text()
    } catch (error) {
      if (error instanceof AppError) throw error
      throw new AppError(
        'invalid',
        error instanceof StepFailure ? error.failure.message : `${url} could not be read: ${error instanceof Error ? error.message : String(error)}`,
        error,
      )
    }
  }
