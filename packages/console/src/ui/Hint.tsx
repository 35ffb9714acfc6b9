import { Tooltip } from '@base-ui/react/tooltip'
import type { ReactElement } from 'react'

/** A few words that appear when the thing is pointed at or focused. Never the only place where something necessary is said. */
export function Hint({ text, children }: { text: string; children: ReactElement<Record<string, unknown>> }) {
  return (
    <Tooltip.Root>
      <Tooltip.Trigger render={children} delay={350} />
      <Tooltip.Portal>
        <Tooltip.Positioner sideOffset={6} className="z-50">
          <Tooltip.Popup className="max-w-72 animate-appear rounded-md bg-ink px-2 py-1 text-xs text-canvas shadow-raised">{text}</Tooltip.Popup>
        </Tooltip.Positioner>
      </Tooltip.Portal>
    </Tooltip.Root>
  )
}

export const HintProvider = Tooltip.Provider
