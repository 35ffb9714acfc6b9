import { useTexts } from '../../i18n/index.ts'
import { Field } from '../../ui/Field.tsx'
import { TextInput } from '../../ui/Fields.tsx'

/** Asks for an image as the root, by its reference. */
export function ImageField({
  value,
  error,
  hasBeginning,
  onText,
}: {
  value: string
  error: string | undefined
  hasBeginning: boolean
  onText: (text: string) => void
}) {
  const { t } = useTexts()
  return (
    <Field label={t('sandboxes.image')} hint={hasBeginning ? t('sandboxes.ownImage') : t('sandboxes.imageHint')} error={error}>
      {(ids) => (
        <TextInput
          {...ids}
          maxLength={600}
          spellCheck={false}
          value={value}
          placeholder="registry.example.com/tools@sha256:…"
          onChange={(event) => onText(event.target.value)}
          className="font-mono text-xs"
        />
      )}
    </Field>
  )
}
