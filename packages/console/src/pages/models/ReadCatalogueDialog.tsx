import type { Json, refreshModels } from '@longhaul/protocol'
import { useState } from 'react'
import type { z } from 'zod'
import { client } from '../../api/client.ts'
import { useTexts } from '../../i18n/index.ts'
import { Field, RadioList } from '../../ui/Field.tsx'
import { TextInput } from '../../ui/Fields.tsx'
import { ActionDialog } from '../ActionDialog.tsx'

export type ReadCatalogue = z.infer<typeof refreshModels.output>

/** A server reads a large catalogue from far away. */
const readMsMax = 120_000

/** Has a catalogue read, from an address or from a file. Nothing counts by that. */
export function ReadCatalogueDialog({ onRead, onClose }: { onRead: (read: ReadCatalogue) => void; onClose: () => void }) {
  const { t } = useTexts()
  const [from, setFrom] = useState<'url' | 'file'>('url')
  const [url, setUrl] = useState('https://models.dev/api.json')
  const [file, setFile] = useState<File>()
  const isUrlWrong = !/^https?:\/\/\S+$/.test(url.trim())
  const problem = from === 'url' ? (isUrlWrong ? t('catalogue.urlWrong') : undefined) : file ? undefined : t('catalogue.fileMissing')
  const given = async (): Promise<{ url: string } | { catalogue: Json }> => {
    if (from === 'url' || !file) return { url: url.trim() }
    const text = await file.text()
    try {
      return { catalogue: JSON.parse(text) as Json } // It is JSON then.
    } catch {
      throw new Error(t('catalogue.fileWrong', { name: file.name }))
    }
  }
  return (
    <ActionDialog
      title={t('catalogue.readTitle')}
      action={t('catalogue.read')}
      blockedBecause={problem}
      changes={['catalogue']}
      act={async () => onRead(await client.models.refresh(await given(), { timeoutMs: readMsMax }))}
      onClose={onClose}
    >
      <p className="text-sm text-ink-2">{t('catalogue.readText')}</p>
      <RadioList
        name="from"
        value={from}
        choices={[
          { value: 'url', label: t('catalogue.fromUrl'), text: t('catalogue.fromUrlText') },
          { value: 'file', label: t('catalogue.fromFile'), text: t('catalogue.fromFileText') },
        ]}
        onChange={setFrom}
      />
      {from === 'url' ? (
        <Field label={t('catalogue.url')} error={isUrlWrong ? t('catalogue.urlWrong') : undefined}>
          {(ids) => <TextInput {...ids} inputMode="url" maxLength={2_000} value={url} onChange={(event) => setUrl(event.target.value)} />}
        </Field>
      ) : (
        <Field label={t('catalogue.file')}>
          {(ids) => (
            <input
              {...ids}
              type="file"
              accept=".json,application/json"
              onChange={(event) => setFile(event.target.files?.[0])}
              className="block w-full text-sm"
            />
          )}
        </Field>
      )}
    </ActionDialog>
  )
}
