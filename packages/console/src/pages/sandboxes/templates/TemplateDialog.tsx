import { ImageReference, Name } from '@longhaul/protocol'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { client } from '../../../api/client.ts'
import { templatesQuery } from '../../../api/templates.ts'
import { useTexts } from '../../../i18n/index.ts'
import { paths } from '../../../paths.ts'
import { Field, SelectField } from '../../../ui/Field.tsx'
import { TextArea, TextInput } from '../../../ui/Fields.tsx'
import { FormDialog } from '../../FormDialog.tsx'
import { ImageField } from '../ImageField.tsx'

/** The hosts that npm and pip take packages from. */
const registries = { npm: ['registry.npmjs.org'], pip: ['pypi.org', 'files.pythonhosted.org'] }
const words = (text: string): string[] => text.split(/[\s,，]+/).filter(Boolean)
const lines = (text: string): string[] =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)

/** Asks what a template begins with and what is done to it; its preparation is watched in the list. */
export function TemplateDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTexts()
  const queryClient = useQueryClient()
  const navigate = useNavigate()
  const known = useQuery(templatesQuery())
  const [name, setName] = useState('')
  const [from, setFrom] = useState('')
  const [npm, setNpm] = useState('')
  const [pip, setPip] = useState('')
  const [commands, setCommands] = useState('')
  const [hosts, setHosts] = useState('')
  const [image, setImage] = useState('')
  const [isTried, setTried] = useState(false)
  const wrongName = Name.safeParse(name).success ? undefined : t('admin.badName')
  const wrongImage = image.trim() === '' || ImageReference.safeParse(image.trim()).success ? undefined : t('sandboxes.badImage')
  const packages = { ...(words(npm).length > 0 && { npm: words(npm) }), ...(words(pip).length > 0 && { pip: words(pip) }) }
  const hasPackages = Object.keys(packages).length > 0
  const isEmpty = !hasPackages && lines(commands).length === 0
  const allowed = [...new Set([...(packages.npm ? registries.npm : []), ...(packages.pip ? registries.pip : []), ...words(hosts)])]
  const make = useMutation({
    mutationFn: () =>
      client.templates.create({
        name,
        ...(from && { from }),
        ...(image.trim() && { image: image.trim() }),
        ...(hasPackages && { packages }),
        ...(lines(commands).length > 0 && { commands: lines(commands) }),
        ...(allowed.length > 0 && { egress: { rules: allowed.map((host) => ({ host })) } }),
      }),
    onSuccess: async ({ id }) => {
      onClose()
      void queryClient.invalidateQueries({ queryKey: ['templates'] })
      await navigate({ href: paths.templates({ template: id }) })
    },
  })
  return (
    <FormDialog
      title={t('templates.make')}
      action={t('templates.prepare')}
      size="lg"
      isBusy={make.isPending}
      error={make.error}
      onSubmit={() => {
        setTried(true)
        if (wrongName === undefined && wrongImage === undefined && !isEmpty) make.mutate()
      }}
      onClose={onClose}
    >
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label={t('sandboxes.name')} hint={t('templates.nameHint')} error={isTried ? wrongName : undefined}>
          {(ids) => <TextInput {...ids} autoFocus maxLength={63} value={name} onChange={(event) => setName(event.target.value)} />}
        </Field>
        <Field label={t('sandboxes.beginWith')}>
          {(ids) => (
            <SelectField {...ids} value={from} onChange={(event) => setFrom(event.target.value)}>
              <option value="">{t('sandboxes.emptyFolder')}</option>
              {(known.data?.items ?? [])
                .filter(({ state }) => state === 'ready')
                .map(({ id, name: called, version }) => (
                  <option key={id} value={`${called}@${version}`}>
                    {called}@{version}
                  </option>
                ))}
            </SelectField>
          )}
        </Field>
        <Packages label={t('templates.npm')} value={npm} placeholder="zod@4.1.5" onChange={setNpm} />
        <Packages label={t('templates.pip')} value={pip} placeholder="pandas==2.2.3" onChange={setPip} />
      </div>
      <ImageField value={image} error={isTried ? wrongImage : undefined} hasBeginning={from !== ''} onText={setImage} />
      <Field label={t('templates.commands')} hint={t('templates.commandsHint')} error={isTried && isEmpty ? t('templates.nothing') : undefined}>
        {(ids) => <Lines {...ids} rows={3} value={commands} onText={setCommands} placeholder="npm ci" />}
      </Field>
      <Field label={t('sandboxes.hosts')} hint={t('templates.hostsHint')}>
        {(ids) => <Lines {...ids} rows={2} value={hosts} onText={setHosts} placeholder="github.com" />}
      </Field>
    </FormDialog>
  )
}

const Packages = ({ label, value, placeholder, onChange }: { label: string; value: string; placeholder: string; onChange: (text: string) => void }) => (
  <Field label={label}>{(ids) => <Lines {...ids} rows={2} value={value} onText={onChange} placeholder={placeholder} />}</Field>
)

const Lines = ({ onText, ...rest }: { id: string; rows: number; value: string; placeholder: string; onText: (text: string) => void }) => (
  <TextArea {...rest} spellCheck={false} onChange={(event) => onText(event.target.value)} className="block font-mono text-xs" />
)
