import type { Agent } from '@longhaul/protocol'
import { useTexts } from '../../i18n/index.ts'
import { cx } from '../../ui/cx.ts'
import { StateIcon } from '../../ui/State.tsx'
import type { Tone } from '../../ui/State.tsx'

const tones: Record<Agent['status'], Tone> = { starting: 'active', ready: 'good', broken: 'bad' }

export function AgentCards({ agents, chosen, onChoose }: { agents: readonly Agent[]; chosen: string; onChoose: (name: string) => void }) {
  const { t } = useTexts()
  return (
    <fieldset>
      <legend className="sr-only">{t('home.pick')}</legend>
      <div className="grid gap-3 sm:grid-cols-2 xl:grid-cols-3">
        {agents.map((agent) => (
          <label
            key={agent.name}
            className={cx(
              'relative block cursor-pointer rounded-lg border bg-surface px-4 py-3 transition-colors has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent',
              agent.name === chosen ? 'border-accent shadow-[inset_0_0_0_1px_var(--color-accent)]' : 'border-line hover:border-line-strong',
            )}
          >
            <input type="radio" name="agent" value={agent.name} checked={agent.name === chosen} onChange={() => onChoose(agent.name)} className="sr-only" />
            <span className="flex items-center justify-between gap-3">
              <span className="truncate font-semibold">{agent.name}</span>
              <span className="flex items-center gap-1.5 text-xs text-ink-2">
                <StateIcon tone={tones[agent.status]} size={13} />
                {t(`home.${agent.status}`)}
              </span>
            </span>
            <span className="mt-0.5 line-clamp-2 sm:min-h-[2lh] text-sm text-ink-2">{agent.manifest?.description ?? agent.problem?.split('\n')[0] ?? ''}</span>
          </label>
        ))}
      </div>
    </fieldset>
  )
}
