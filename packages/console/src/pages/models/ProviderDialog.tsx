import type { ModelProvider } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { client } from '../../api/client.ts'
import { secretsQuery } from '../../api/settings.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { buttonClass } from '../../ui/Button.tsx'
import { CheckList, Field, FieldSet } from '../../ui/Field.tsx'
import { TextInput } from '../../ui/Fields.tsx'
import { Note, Skeleton } from '../../ui/Notes.tsx'
import { ActionDialog } from '../ActionDialog.tsx'
import { AppLink } from '../AppLink.tsx'
import { RequestError } from '../ErrorPages.tsx'

/** Names a provider's keys by the secrets that hold them: the keys themselves are never here. */
export function ProviderDialog({ provider, onClose }: { provider?: ModelProvider | undefined; onClose: () => void }) {
  const { t } = useTexts()
  const [name, setName] = useState(provider?.name ?? '')
  const [secrets, setSecrets] = useState(provider?.secrets ?? [])
  const [baseUrl, setBaseUrl] = useState(provider?.baseUrl ?? '')
  const [region, setRegion] = useState(provider?.awsRegion ?? '')
  const address = baseUrl.trim()
  const isUrlWrong = address !== '' && !/^https:\/\/\S+$/.test(address)
  const problem =
    name.trim() === ''
      ? t('providers.nameMissing')
      : secrets.length === 0
        ? t('providers.secretsMissing')
        : isUrlWrong
          ? t('providers.baseUrlWrong')
          : undefined
  return (
    <ActionDialog
      title={provider ? t('providers.changeTitle', { name: provider.name }) : t('providers.addTitle')}
      action={t('admin.save')}
      size="lg"
      blockedBecause={problem}
      changes={['providers', 'system']}
      act={() =>
        client.providers.set({
          name: name.trim(),
          secrets,
          ...(address !== '' && { baseUrl: address }),
          ...(isBedrock(name) && region.trim() !== '' && { awsRegion: region.trim() }),
        })
      }
      onClose={onClose}
    >
      {!provider && (
        <Field label={t('providers.name')} hint={t('providers.nameHint')}>
          {(ids) => (
            <TextInput
              {...ids}
              autoFocus
              list="provider-names"
              maxLength={63}
              spellCheck={false}
              value={name}
              onChange={(event) => setName(event.target.value)}
              className="font-mono text-sm"
            />
          )}
        </Field>
      )}
      <datalist id="provider-names">
        {known.map((one) => (
          <option key={one} value={one} />
        ))}
      </datalist>
      <FieldSet label={t('providers.secrets')} hint={t('providers.secretsHint')}>
        <Secrets chosen={secrets} onChange={setSecrets} />
      </FieldSet>
      <Field label={t('providers.baseUrl')} hint={t('providers.baseUrlHint')} error={isUrlWrong ? t('providers.baseUrlWrong') : undefined}>
        {(ids) => <TextInput {...ids} inputMode="url" maxLength={500} value={baseUrl} onChange={(event) => setBaseUrl(event.target.value)} />}
      </Field>
      {isBedrock(name) && (
        <Field label={t('providers.region')} hint={t('providers.regionHint')}>
          {(ids) => <TextInput {...ids} maxLength={40} value={region} onChange={(event) => setRegion(event.target.value)} />}
        </Field>
      )}
    </ActionDialog>
  )
}

/** Offered while the name is written; the server has the last word. */
const known = ['openai', 'anthropic', 'google', 'azure', 'bedrock', 'openrouter', 'groq', 'mistral', 'deepseek', 'qwen', 'moonshot', 'zhipu']
const isBedrock = (name: string): boolean => name.trim() === 'bedrock'

/** All stored secrets, and chosen ones that are there no more. */
function Secrets({ chosen, onChange }: { chosen: string[]; onChange: (secrets: string[]) => void }) {
  const { t } = useTexts()
  const secrets = useQuery(secretsQuery())
  if (secrets.isPending) return <Skeleton className="h-10" />
  if (!secrets.data) return <RequestError error={secrets.error} />
  const names = [...new Set([...secrets.data.items.map(({ name }) => name), ...chosen])].sort()
  // As `providers.set` has it: a secret that names hosts or agents is for those.
  const bound = new Set(secrets.data.items.filter(({ hosts, agents }) => hosts.length > 0 || agents !== null).map(({ name }) => name))
  const choices = names.map((name) => ({
    ...{ value: name, label: name },
    blockedBecause: bound.has(name) && !chosen.includes(name) ? t('providers.secretBound') : undefined,
  }))
  if (names.length === 0)
    return (
      <Note
        title={t('providers.noSecrets')}
        action={
          <AppLink href={paths.secrets()} className={buttonClass('secondary')}>
            {t('providers.toSecrets')}
          </AppLink>
        }
      />
    )
  return (
    <div className="max-h-48 overflow-y-auto rounded-md border border-line px-3 py-2">
      <CheckList isMono values={chosen} choices={choices} onChange={onChange} />
    </div>
  )
}
