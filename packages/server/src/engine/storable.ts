import { whyNotJson } from '@longhaul/protocol'
import { AppError } from '../kernel/index.ts'

/** Texts that go beside values and may hold the same that the database cannot. */
export function assertStorable(texts: Record<string, string | undefined>): void {
  for (const [what, text] of Object.entries(texts)) {
    const problem = text === undefined ? undefined : whyNotJson(text, what)
    if (problem) throw new AppError('invalid', `${problem}.`)
  }
}
