import type { Agent } from '@longhaul/protocol'
import { useTexts } from '../../i18n/index.ts'
import { cx } from '../../ui/cx.ts'
import { Select } from '../../ui/Fields.tsx'
import { StateIcon } from '../../ui/State.tsx'
import { agentTones } from '../agents/agent-facts.ts'

/** More than this many stand in a list instead of side by side. */
const sideBySideMax = 12

/** Whom to ask, and what the chosen one is for. */
export function AgentPicker({ agents, chosen, onChoose }: { agents: readonly Agent[]; chosen: Agent; onChoose: (name: string) => void }) {
  const { t } = useTexts()
  const description = chosen.manifest?.description ?? chosen.problem?.split('\n')[0] ?? t('home.notReady', { agent: chosen.name })
  return (
    <div className="space-y-2">
      {agents.length > sideBySideMax ? (
        <Select label={t('home.pick')} value={chosen.name} options={agents.map(({ name }) => ({ value: name, label: name }))} onChange={onChoose} />
      ) : (
        <fieldset>
          <legend className="sr-only">{t('home.pick')}</legend>
          <div className="flex flex-wrap gap-1.5">
            {agents.map((agent) => (
              <label
                key={agent.name}
                className={cx(
                  'relative inline-flex h-7 cursor-pointer items-center gap-1.5 rounded-md border px-2 text-sm transition-colors has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent',
                  agent.name === chosen.name
                    ? 'border-accent bg-surface font-medium text-ink'
                    : 'border-line bg-surface text-ink-2 hover:border-line-strong hover:text-ink',
                )}
              >
                <input
                  type="radio"
                  name="agent"
                  value={agent.name}
                  checked={agent.name === chosen.name}
                  onChange={() => onChoose(agent.name)}
                  className="sr-only"
                />
                {agent.status !== 'ready' && <StateIcon tone={agentTones[agent.status]} size={13} />}
                {agent.name}
                <span className="sr-only">{t(`home.${agent.status}`)}</span>
              </label>
            ))}
          </div>
        </fieldset>
      )}
      <p className="line-clamp-2 text-sm text-ink-2">{description}</p>
    </div>
  )
}
