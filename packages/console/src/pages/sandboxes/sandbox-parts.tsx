import type { SandboxInfo, SandboxProcess } from '@longhaul/protocol'
import { useTexts } from '../../i18n/index.ts'
import { aboveRow } from '../../ui/Table.tsx'
import { Hint } from '../../ui/Hint.tsx'
import { Tag } from '../../ui/State.tsx'
import type { Tone } from '../../ui/State.tsx'

export const sandboxTones: Record<SandboxInfo['state'], Tone> = { active: 'usual', released: 'idle', stopped: 'off' }
export const processTones = ({ state, exitCode }: SandboxProcess): Tone =>
  state === 'running' ? 'active' : state === 'killed' ? 'off' : state === 'exited' && exitCode === 0 ? 'usual' : 'bad'

/** How many of the limits this host cannot hold; which ones stands on the sandbox's own page. */
export function NotEnforced({ what }: { what: readonly string[] }) {
  const { t } = useTexts()
  if (what.length === 0) return <span className="text-ink-3">{t('sandboxes.allEnforced')}</span>
  return (
    <span className={aboveRow}>
      <Hint text={what.join(' · ')}>
        <span>
          <Tag tone="warn">{t('sandboxes.notEnforcedCount', { count: what.length })}</Tag>
        </span>
      </Hint>
    </span>
  )
}
