import type { OfferedPrompt } from '@longhaul/protocol'
import { useMutation, useQueries } from '@tanstack/react-query'
import { useState } from 'react'
import { promptsQuery } from '../../api/chat.ts'
import type { Prompt } from '../../api/chat.ts'
import { client } from '../../api/client.ts'
import { useTexts } from '../../i18n/index.ts'
import { Button } from '../../ui/Button.tsx'
import { Field, SelectField } from '../../ui/Field.tsx'
import { TextInput } from '../../ui/Fields.tsx'
import { Skeleton } from '../../ui/Notes.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { FormDialog } from '../FormDialog.tsx'

type Props = {
  agent: string
  /** That may have prompts. */
  connections: readonly string[]
  isBusy: boolean
  error: unknown
  onSend: (prompt: Prompt) => void
  onClose: () => void
}

/** A prompt of a tool server: chosen, its arguments filled in, its words read, sent. */
export function PromptDialog({ agent, connections, isBusy, error, onSend, onClose }: Props) {
  const { t } = useTexts()
  const queries = useQueries({ queries: connections.map((connection) => promptsQuery(agent, connection)) })
  const offered = queries.flatMap(({ data }, at) => (data?.items ?? []).map((prompt) => ({ ...prompt, connection: connections[at] ?? '' })))
  const [chosenKey, setChosenKey] = useState<string>()
  const chosen = offered.find((one) => keyOf(one) === chosenKey) ?? offered[0]
  const [values, setValues] = useState<Record<string, string>>({})
  const prompt: Prompt | undefined = chosen && { connection: chosen.connection, name: chosen.name, arguments: givenOf(chosen, values) }
  const missing = chosen?.arguments.find(({ name, isRequired }) => isRequired && !values[name]?.trim())
  const read = useMutation({ mutationFn: (given: Prompt) => client.prompts.get({ agent, ...given }) })
  const isPending = queries.some((query) => query.isPending)
  const change = (name: string, value: string) => {
    setValues({ ...values, [name]: value })
    read.reset() // What was read is not what would be sent any more.
  }
  return (
    <FormDialog
      title={t('chat.prompt')}
      action={t('chat.send')}
      size="lg"
      isBusy={isBusy}
      error={error}
      blockedBecause={!prompt ? t('chat.noPrompts') : missing && t('chat.promptMissing', { name: missing.name })}
      onSubmit={() => prompt && onSend(prompt)}
      onClose={onClose}
    >
      {queries.map((query, at) => query.isError && <RequestError key={connections[at]} error={query.error} />)}
      {isPending && <Skeleton className="h-20" />}
      {!isPending && offered.length === 0 && <p className="text-sm text-ink-2">{t('chat.noPrompts')}</p>}
      {chosen && (
        <>
          <Field label={t('chat.promptOf')} {...(chosen.description !== null && { hint: chosen.description })}>
            {(ids) => (
              <SelectField
                {...ids}
                value={keyOf(chosen)}
                onChange={({ target }) => {
                  setChosenKey(target.value)
                  setValues({})
                  read.reset()
                }}
              >
                {offered.map((one) => (
                  <option key={keyOf(one)} value={keyOf(one)}>
                    {one.connection} · {one.title ?? one.name}
                  </option>
                ))}
              </SelectField>
            )}
          </Field>
          {chosen.arguments.map(({ name, description, isRequired }) => (
            <Field key={name} label={isRequired ? name : `${name} ${t('approvals.optional')}`} {...(description !== null && { hint: description })}>
              {(ids) => <TextInput {...ids} maxLength={10_000} value={values[name] ?? ''} onChange={({ target }) => change(name, target.value)} />}
            </Field>
          ))}
          <div className="space-y-2 text-sm">
            <p className="flex flex-wrap items-center gap-3 text-ink-2">
              {t('chat.promptText')}
              <Button size="sm" isBusy={read.isPending} onClick={() => prompt && !missing && read.mutate(prompt)}>
                {t('chat.promptRead')}
              </Button>
            </p>
            {read.isError && <RequestError error={read.error} />}
            {read.data && <pre className="max-h-60 overflow-auto rounded-md bg-sunken p-3 whitespace-pre-wrap">{read.data.text}</pre>}
          </div>
        </>
      )}
    </FormDialog>
  )
}

const keyOf = ({ connection, name }: { connection: string; name: string }): string => `${connection} ${name}`

/** Those that were filled in, of this prompt. */
const givenOf = ({ arguments: wanted }: OfferedPrompt, values: Record<string, string>): Record<string, string> =>
  Object.fromEntries(wanted.flatMap(({ name }) => (values[name]?.trim() ? [[name, values[name]]] : [])))
