import type { Quotas } from '@longhaul/protocol'
import { useTexts } from '../../i18n/index.ts'
import { cx } from '../../ui/cx.ts'
import { Field } from '../../ui/Field.tsx'
import { TextInput } from '../../ui/Fields.tsx'
import { formatBytes, formatNumber } from '../../ui/format.ts'

/** How much of what may be is used. Colour only when little is left. */
export function Meter({ used, max, format }: { used: number; max: number | undefined; format?: (value: number) => string }) {
  const { locale } = useTexts()
  const say = format ?? ((value: number) => formatNumber(value, locale))
  const share = max === undefined ? 0 : max === 0 ? 1 : used / max
  return (
    <span className={cx(share >= 1 ? 'text-bad' : share >= 0.8 ? 'text-warn' : 'text-ink')}>
      {say(used)}
      <span className="text-ink-3"> / {max === undefined ? '∞' : say(max)}</span>
    </span>
  )
}

export function StorageMeter({ used, max }: { used: number; max: number | undefined }) {
  const { locale } = useTexts()
  return <Meter used={used} max={max} format={(bytes) => formatBytes(bytes, locale)} />
}

export type QuotaTexts = { runs: string; starts: string; megabytes: string; sandboxes: string; requests: string; images: string; imageMegabytes: string }
const text = (value: number | undefined) => (value === undefined ? '' : String(value))
const megabytesText = (bytes: number | undefined) => (bytes === undefined ? '' : text(bytes / 1_000_000))
export const toQuotaTexts = ({
  runsInFlightMax,
  startsPerMinuteMax,
  storageBytesMax,
  sandboxesMax,
  requestsPerMinuteMax,
  imagesMax,
  imageBytesMax,
}: Quotas): QuotaTexts => ({
  runs: text(runsInFlightMax),
  starts: text(startsPerMinuteMax),
  megabytes: megabytesText(storageBytesMax),
  sandboxes: text(sandboxesMax),
  requests: text(requestsPerMinuteMax),
  images: text(imagesMax),
  imageMegabytes: megabytesText(imageBytesMax),
})

/** Undefined when one of them is no number. An empty field is no limit. */
export function toQuotas({ runs, starts, megabytes, sandboxes, requests, images, imageMegabytes }: QuotaTexts): Quotas | undefined {
  const numbers = [runs, starts, megabytes, sandboxes, requests, images, imageMegabytes].map(toNumber)
  if (numbers.some(Number.isNaN)) return undefined
  const [runsInFlightMax, startsPerMinuteMax, storage, sandboxesMax, requestsPerMinuteMax, imagesMax, imageStorage] = numbers
  return {
    ...(runsInFlightMax !== undefined && { runsInFlightMax: Math.round(runsInFlightMax) }),
    ...(startsPerMinuteMax !== undefined && { startsPerMinuteMax: Math.round(startsPerMinuteMax) }),
    ...(storage !== undefined && { storageBytesMax: Math.round(storage * 1_000_000) }),
    ...(sandboxesMax !== undefined && { sandboxesMax: Math.round(sandboxesMax) }),
    ...(requestsPerMinuteMax !== undefined && { requestsPerMinuteMax: Math.round(requestsPerMinuteMax) }),
    ...(imagesMax !== undefined && { imagesMax: Math.round(imagesMax) }),
    ...(imageStorage !== undefined && { imageBytesMax: Math.round(imageStorage * 1_000_000) }),
  }
}

/** Undefined when nothing is written, not a number when it is no number. */
export function toNumber(written: string): number | undefined {
  const trimmed = written.trim()
  if (trimmed === '') return undefined
  const value = Number(trimmed)
  return value >= 0 ? value : Number.NaN
}

export function NumberField({
  label,
  value,
  onChange,
  hint,
  isTried = false,
}: {
  label: string
  value: string
  onChange: (text: string) => void
  hint?: string
  isTried?: boolean
}) {
  const { t } = useTexts()
  return (
    <Field label={label} hint={hint} error={isTried && Number.isNaN(toNumber(value)) ? t('limits.badNumber') : undefined}>
      {(ids) => <TextInput {...ids} inputMode="decimal" value={value} placeholder={t('limits.noLimit')} onChange={(event) => onChange(event.target.value)} />}
    </Field>
  )
}

export function QuotaFields({
  quotas,
  onChange,
  isTried,
  hasStorage,
}: {
  quotas: QuotaTexts
  onChange: (quotas: QuotaTexts) => void
  isTried: boolean
  hasStorage: boolean
}) {
  const { t } = useTexts()
  return (
    <div className="grid gap-4 sm:grid-cols-2">
      <NumberField label={t('limits.runsInFlight')} value={quotas.runs} onChange={(runs) => onChange({ ...quotas, runs })} isTried={isTried} />
      <NumberField label={t('limits.startsPerMinute')} value={quotas.starts} onChange={(starts) => onChange({ ...quotas, starts })} isTried={isTried} />
      <NumberField label={t('limits.sandboxes')} value={quotas.sandboxes} onChange={(sandboxes) => onChange({ ...quotas, sandboxes })} isTried={isTried} />
      <NumberField label={t('limits.requestsPerMinute')} value={quotas.requests} onChange={(requests) => onChange({ ...quotas, requests })} isTried={isTried} />
      {hasStorage && (
        <NumberField
          label={t('limits.storageMegabytes')}
          value={quotas.megabytes}
          onChange={(megabytes) => onChange({ ...quotas, megabytes })}
          isTried={isTried}
        />
      )}
      {hasStorage && (
        <NumberField
          label={t('limits.images')}
          hint={t('limits.imagesHint')}
          value={quotas.images}
          onChange={(images) => onChange({ ...quotas, images })}
          isTried={isTried}
        />
      )}
      {hasStorage && (
        <NumberField
          label={t('limits.imageMegabytes')}
          value={quotas.imageMegabytes}
          onChange={(imageMegabytes) => onChange({ ...quotas, imageMegabytes })}
          isTried={isTried}
        />
      )}
    </div>
  )
}
