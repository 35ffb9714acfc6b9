import { ImageReference, Name } from '@longhaul/protocol'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { client } from '../../api/client.ts'
import { snapshotsQuery } from '../../api/sandboxes.ts'
import { templatesQuery } from '../../api/templates.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { Field, SelectField } from '../../ui/Field.tsx'
import { TextArea, TextInput } from '../../ui/Fields.tsx'
import { formatDuration } from '../../ui/format.ts'
import { FormDialog } from '../FormDialog.tsx'
import { ImageField } from './ImageField.tsx'

const hourMs = 3_600_000
const lives = [hourMs, 24 * hourMs, 7 * 24 * hourMs, 30 * 24 * hourMs]
const memories = [256, 512, 1_024, 2_048, 4_096]

/** A sandbox begins empty, or as a copy of a snapshot or of a template, `name@version`. */
export function CreateDialog({ snapshot, template, onClose }: { snapshot?: string; template?: string; onClose: () => void }) {
  const { t, locale } = useTexts()
  const queryClient = useQueryClient()
  const navigate = useNavigate()
  const snapshots = useQuery(snapshotsQuery())
  const templates = useQuery(templatesQuery())
  const [name, setName] = useState('')
  const [from, setFrom] = useState(snapshot !== undefined ? `snapshot ${snapshot}` : template !== undefined ? `template ${template}` : '')
  const [ttlMs, setTtlMs] = useState(24 * hourMs)
  const [megabytes, setMegabytes] = useState(0)
  const [hosts, setHosts] = useState('')
  const [image, setImage] = useState('')
  const [isTried, setTried] = useState(false)
  const wrongName = name === '' || Name.safeParse(name).success ? undefined : t('admin.badName')
  const wrongImage = image.trim() === '' || ImageReference.safeParse(image.trim()).success ? undefined : t('sandboxes.badImage')
  const rules = hosts
    .split(/[\s,，]+/)
    .filter(Boolean)
    .map((host) => ({ host }))
  const create = useMutation({
    mutationFn: () =>
      client.sandboxes.create({
        ttlMs,
        ...(name && { name }),
        ...beginning(from),
        ...(image.trim() && { image: image.trim() }),
        ...(megabytes > 0 && { limits: { memoryBytesMax: megabytes * 1_000_000 } }),
        ...(rules.length > 0 && { egress: { rules } }),
      }),
    onSuccess: async (made) => {
      void queryClient.invalidateQueries({ queryKey: ['sandboxes', 'list'] })
      await navigate({ href: paths.sandbox(made.id) })
    },
  })
  // What was chosen elsewhere may be older than the first page of its list.
  const groups = [
    {
      what: 'snapshot',
      label: t('sandboxes.snapshots'),
      names: withChosen(
        snapshot,
        snapshots.data?.items.map(({ id, name: called }) => called ?? id),
      ),
    },
    {
      what: 'template',
      label: t('templates.title'),
      names: withChosen(
        template,
        templates.data?.items.flatMap(({ name: called, version, state }) => (state === 'ready' ? `${called}@${version}` : [])),
      ),
    },
  ]
  return (
    <FormDialog
      title={t('sandboxes.createTitle')}
      action={t('sandboxes.create')}
      isBusy={create.isPending}
      error={create.error}
      onSubmit={() => {
        setTried(true)
        if (wrongName === undefined && wrongImage === undefined) create.mutate()
      }}
      onClose={onClose}
    >
      <Field label={t('sandboxes.name')} hint={t('sandboxes.nameHint')} error={isTried ? wrongName : undefined}>
        {(ids) => <TextInput {...ids} autoFocus maxLength={63} value={name} onChange={(event) => setName(event.target.value)} />}
      </Field>
      <Field label={t('sandboxes.beginWith')}>
        {(ids) => (
          <SelectField {...ids} value={from} onChange={(event) => setFrom(event.target.value)}>
            <option value="">{t('sandboxes.emptyFolder')}</option>
            {groups.map(
              ({ what, label, names }) =>
                names.length > 0 && (
                  <optgroup key={what} label={label}>
                    {names.map((each) => (
                      <option key={each} value={`${what} ${each}`}>
                        {each}
                      </option>
                    ))}
                  </optgroup>
                ),
            )}
          </SelectField>
        )}
      </Field>
      <ImageField value={image} error={isTried ? wrongImage : undefined} hasBeginning={from !== ''} onText={setImage} />
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label={t('sandboxes.ttl')}>
          {(ids) => (
            <SelectField {...ids} value={ttlMs} onChange={(event) => setTtlMs(Number(event.target.value))}>
              {lives.map((ms) => (
                <option key={ms} value={ms}>
                  {formatDuration(ms, locale)}
                </option>
              ))}
            </SelectField>
          )}
        </Field>
        <Field label={t('sandboxes.memory')}>
          {(ids) => (
            <SelectField {...ids} value={megabytes} onChange={(event) => setMegabytes(Number(event.target.value))}>
              <option value={0}>{t('sandboxes.usual')}</option>
              {memories.map((each) => (
                <option key={each} value={each}>
                  {each} MB
                </option>
              ))}
            </SelectField>
          )}
        </Field>
      </div>
      <Field label={t('sandboxes.hosts')} hint={t('sandboxes.hostsHint')}>
        {(ids) => (
          <TextArea
            {...ids}
            rows={2}
            spellCheck={false}
            value={hosts}
            placeholder="registry.npmjs.org"
            onChange={(event) => setHosts(event.target.value)}
            className="block font-mono text-xs"
          />
        )}
      </Field>
    </FormDialog>
  )
}

const withChosen = (chosen: string | undefined, names: readonly string[] = []): readonly string[] =>
  chosen !== undefined && !names.includes(chosen) ? [chosen, ...names] : names

/** What the sandbox begins with, of the value of its option. */
function beginning(from: string): { snapshot?: string; template?: string } {
  const [what, name] = from.split(' ')
  if (name === undefined) return {}
  return what === 'template' ? { template: name } : { snapshot: name }
}
