import { AppError } from './errors.ts'

/** A page and where the next one begins. The cursor is the id of the page's last item: ids sort by their making. */
export async function pageBy<Item extends { id: string }>(
  limit: number,
  cursor: string | undefined,
  read: (before: string | undefined, count: number) => Promise<Item[]>,
) {
  assertIsCursor(cursor)
  const found = await read(cursor, limit + 1)
  const items = found.slice(0, limit)
  return { items, next: found.length > limit ? (items.at(-1)?.id ?? null) : null }
}

export function assertIsCursor(cursor: string | undefined): void {
  if (cursor !== undefined && !/^[0-9a-f-]{36}$/.test(cursor)) throw new AppError('invalid', 'cursor: must be what the page before gave as `next`.')
}
