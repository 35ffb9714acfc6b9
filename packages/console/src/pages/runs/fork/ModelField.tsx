import { useQuery } from '@tanstack/react-query'
import { useId } from 'react'
import { modelsQuery } from '../../../api/models.ts'
import { useMay } from '../../../api/permissions.ts'
import { useTexts } from '../../../i18n/index.ts'
import { Field } from '../../../ui/Field.tsx'
import { TextInput } from '../../../ui/Fields.tsx'

/** Any model may be written; the catalogue helps. */
export function ModelField({ value, recorded, onChange }: { value: string; recorded: string | undefined; onChange: (text: string) => void }) {
  const { t } = useTexts()
  const may = useMay()
  const list = useId()
  const models = useQuery({ ...modelsQuery(value || undefined), enabled: may('system:read') === true })
  return (
    <Field label={t('run.model')}>
      {(ids) => (
        <>
          <TextInput
            {...ids}
            list={list}
            spellCheck={false}
            maxLength={200}
            value={value}
            placeholder={recorded ?? t('fork.asItWas')}
            onChange={(event) => onChange(event.target.value)}
          />
          <datalist id={list}>
            {models.data?.items.map(({ model }) => (
              <option key={model} value={model} />
            ))}
          </datalist>
        </>
      )}
    </Field>
  )
}
