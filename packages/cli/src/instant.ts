import { Problem } from './problem.ts'

/** A day alone is its first instant in UTC. */
export function instant(option: string, given: string): string {
  const at = new Date(given)
  if (Number.isNaN(at.getTime())) throw new Problem('invalid', `--${option} is no instant: "${given}".`, 'Write 2026-11-01 or 2026-11-01T12:00:00Z.')
  return at.toISOString()
}
