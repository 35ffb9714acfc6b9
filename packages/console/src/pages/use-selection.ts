import { useCallback, useMemo, useState } from 'react'

export type Selection = {
  chosen: ReadonlySet<string>
  /** What of the page can be chosen. */
  ids: readonly string[]
  toggle: (id: string) => void
  chooseAll: () => void
  clear: () => void
}

/** Which lines of a list are chosen. What is no longer on the page is no longer chosen: nobody acts on what they do not see. */
export function useSelection(ids: readonly string[] | undefined): Selection {
  const [wanted, setWanted] = useState<ReadonlySet<string>>(new Set())
  const chosen = useMemo(() => new Set((ids ?? []).filter((id) => wanted.has(id))), [ids, wanted])
  const toggle = useCallback((id: string) => {
    setWanted((before) => {
      const next = new Set(before)
      if (!next.delete(id)) next.add(id)
      return next
    })
  }, [])
  return { chosen, ids: ids ?? [], toggle, chooseAll: () => setWanted(new Set(ids)), clear: () => setWanted(new Set()) }
}
