import type { Tool, ToolLimits } from '@longhaul/protocol'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { limitTool } from '../../api/tools.ts'
import { useTexts } from '../../i18n/index.ts'
import { Check } from '../../ui/Field.tsx'
import { FormDialog } from '../FormDialog.tsx'
import { NumberField, toNumber } from '../settings/quota-parts.tsx'

const written = (value: number | undefined) => (value === undefined ? '' : String(value))

/** An operator's limits of one tool. They go before those of the agent's folder; none of them takes them back. */
export function LimitsDialog({ tool, onClose }: { tool: Tool; onClose: () => void }) {
  const { t } = useTexts()
  const { limits } = tool
  const [perMinute, setPerMinute] = useState(written(limits.perMinute))
  const [concurrent, setConcurrent] = useState(written(limits.concurrent))
  const [seconds, setSeconds] = useState(limits.timeoutMs === undefined ? '' : String(limits.timeoutMs / 1_000))
  const [characters, setCharacters] = useState(written(limits.resultCharactersMax))
  const [isOff, setOff] = useState(limits.isOff ?? false)
  const [isTried, setTried] = useState(false)
  const numbers = [perMinute, concurrent, seconds, characters].map(toNumber)
  const save = useMutation({
    mutationFn: () => {
      const [minute, atOnce, timeout, result] = numbers
      const next: ToolLimits = {
        ...(minute !== undefined && { perMinute: minute }),
        ...(atOnce !== undefined && { concurrent: atOnce }),
        ...(timeout !== undefined && { timeoutMs: Math.round(timeout * 1_000) }),
        ...(result !== undefined && { resultCharactersMax: result }),
        ...(isOff && { isOff }),
      }
      return limitTool(tool.agent, tool.name, next)
    },
    onSuccess: onClose,
  })
  return (
    <FormDialog
      title={t('tools.limitsTitle', { name: tool.name })}
      action={t('admin.save')}
      isBusy={save.isPending}
      error={save.error}
      onSubmit={() => {
        setTried(true)
        if (!numbers.some(Number.isNaN)) save.mutate()
      }}
      onClose={onClose}
    >
      <p className="text-sm text-ink-2">{t('tools.limitsText')}</p>
      <div className="grid gap-4 sm:grid-cols-2">
        <NumberField label={t('tools.perMinute')} value={perMinute} onChange={setPerMinute} isTried={isTried} />
        <NumberField label={t('tools.concurrent')} value={concurrent} onChange={setConcurrent} isTried={isTried} />
        <NumberField label={t('tools.seconds')} value={seconds} onChange={setSeconds} isTried={isTried} />
        <NumberField label={t('tools.characters')} value={characters} onChange={setCharacters} isTried={isTried} />
      </div>
      <Check label={t('tools.off')} isChecked={isOff} onChange={setOff} />
    </FormDialog>
  )
}
