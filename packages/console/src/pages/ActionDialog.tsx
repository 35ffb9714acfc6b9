import type { CallOptions } from '@longhaul/sdk/client'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { FormDialog } from './FormDialog.tsx'
import { type EditedThing, useEdited } from './use-edited.tsx'

type Props = {
  title: string
  /** What the button says that does it. */
  action: string
  isDangerous?: boolean
  size?: 'md' | 'lg'
  blockedBecause?: string | undefined
  /** The first keys of the queries that are asked again afterwards. */
  changes: readonly string[]
  /** What is edited, so that nobody else's change is lost. */
  edited?: EditedThing
  /** `condition` is empty unless something is edited. */
  act: (condition: CallOptions) => Promise<unknown>
  onClose: () => void
  children?: ReactNode
}

/** Asks before something is done, does it, and closes when it is. */
export function ActionDialog({ act, changes, edited, onClose, children, ...dialog }: Props) {
  const queryClient = useQueryClient()
  const { save, conflict } = useEdited(edited ?? { shown: undefined, load: async () => undefined })
  const doing = useMutation({
    mutationFn: () => (edited ? save(act) : act({})),
    onSuccess: onClose,
    // Also when it failed: somebody else may have been faster, and the page should say so.
    onSettled: () => void Promise.all(changes.map((key) => queryClient.invalidateQueries({ queryKey: [key] }))),
  })
  return (
    <FormDialog {...dialog} isBusy={doing.isPending} error={doing.error} onSubmit={() => doing.mutate()} onClose={onClose}>
      {children}
      {conflict}
    </FormDialog>
  )
}
