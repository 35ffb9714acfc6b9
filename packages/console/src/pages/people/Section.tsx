import type { Me } from '@longhaul/protocol'
import { useQueryClient } from '@tanstack/react-query'
import type { ReactNode } from 'react'

export function Section({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="space-y-4 rounded-lg border border-line bg-surface p-5">
      <h2 className="font-semibold">{title}</h2>
      {children}
    </section>
  )
}

/** What every part of the page shows anew when one of them has changed something. */
export function useMeChange() {
  const queryClient = useQueryClient()
  return (next?: Me) => {
    if (next) queryClient.setQueryData(['me'], next)
    return Promise.all([queryClient.invalidateQueries({ queryKey: ['me'] }), queryClient.invalidateQueries({ queryKey: ['logins'] })])
  }
}
