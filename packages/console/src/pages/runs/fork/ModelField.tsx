import { useQuery } from '@tanstack/react-query'
import { useId } from 'react'
import { modelsQuery } from '../../../api/models.ts'
import { useMay } from '../../../api/permissions.ts'
import { Field } from '../../../ui/Field.tsx'
import { TextInput } from '../../../ui/Fields.tsx'

/** Any model may be written; the catalogue helps. */
export function ModelField({ label, value, placeholder, onChange }: { label: string; value: string; placeholder: string; onChange: (text: string) => void }) {
  const may = useMay()
  const list = useId()
  const models = useQuery({ ...modelsQuery(value || undefined), enabled: may('system:read') === true })
  return (
    <Field label={label}>
      {(ids) => (
        <>
          <datalist id={list}>
            {models.data?.items.map(({ model }) => (
              <option key={model} value={model} />
            ))}
          </datalist>
          <TextInput
            {...ids}
            list={list}
            spellCheck={false}
            maxLength={200}
            value={value}
            placeholder={placeholder}
            onChange={(event) => onChange(event.target.value)}
          />
        </>
      )}
    </Field>
  )
}
