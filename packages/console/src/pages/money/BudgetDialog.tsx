import { budgetScopes, budgetUnits, budgetWindows } from '@longhaul/protocol'
import type { Budget } from '@longhaul/protocol'
import { useState } from 'react'
import { client } from '../../api/client.ts'
import { readerZone } from '../../api/money.ts'
import { useTexts } from '../../i18n/index.ts'
import { Field, SelectField } from '../../ui/Field.tsx'
import { TextInput } from '../../ui/Fields.tsx'
import { ActionDialog } from '../ActionDialog.tsx'

/** Makes a budget, or changes the limit of one: whom it is for and in what time stays as it was. */
export function BudgetDialog({ budget, onClose }: { budget?: Budget; onClose: () => void }) {
  const { t } = useTexts()
  const [name, setName] = useState(budget?.name ?? '')
  const [scope, setScope] = useState<Budget['scope']>(budget?.scope ?? 'tenant')
  const [subject, setSubject] = useState(budget?.subject ?? '*')
  const [per, setPer] = useState<Budget['per']>(budget?.per ?? 'month')
  const [unit, setUnit] = useState<Budget['unit']>(budget?.unit ?? 'usd')
  const [limit, setLimit] = useState(budget ? String(budget.limit) : '')
  const isNameWrong = name !== '' && !/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name)
  const amount = Number(limit)
  const isLimitWrong = limit !== '' && !(amount >= 0 && amount <= 9e15)
  const problem = name === '' || isNameWrong ? t('schedules.nameWrong') : limit.trim() === '' || isLimitWrong ? t('money.limitWrong') : undefined
  return (
    <ActionDialog
      title={budget ? t('money.changeTitle', { name: budget.name }) : t('money.add')}
      action={t('schedules.save')}
      blockedBecause={problem}
      changes={['budgets', 'attention']}
      edited={{ shown: budget, load: () => client.budgets.get({ name }) }}
      act={(condition) =>
        client.budgets.set(
          budget
            ? { name, limit: amount }
            : { name, scope, per, unit, limit: amount, timeZone: readerZone(), ...(scope === 'tenant' ? {} : { subject: subject.trim() || '*' }) },
          condition,
        )
      }
      onClose={onClose}
    >
      {budget ? (
        <p className="text-sm text-ink-2">{t('money.changeText')}</p>
      ) : (
        <>
          <Field label={t('money.name')} hint={t('schedules.nameHint')} error={isNameWrong ? t('schedules.nameWrong') : undefined}>
            {(ids) => <TextInput {...ids} value={name} maxLength={63} autoFocus onChange={(event) => setName(event.target.value)} />}
          </Field>
          <div className="grid gap-4 sm:grid-cols-2">
            <Field label={t('money.who')}>
              {(ids) => (
                <SelectField {...ids} value={scope} onChange={(event) => setScope(budgetScopes.find((one) => one === event.target.value) ?? 'tenant')}>
                  {budgetScopes.map((value) => (
                    <option key={value} value={value}>
                      {t(`money.scopes.${value}`)}
                    </option>
                  ))}
                </SelectField>
              )}
            </Field>
            {scope !== 'tenant' && (
              <Field label={t('money.subject')} hint={t('money.subjectHint')}>
                {(ids) => <TextInput {...ids} value={subject} maxLength={200} onChange={(event) => setSubject(event.target.value)} />}
              </Field>
            )}
          </div>
        </>
      )}
      <div className="grid gap-4 sm:grid-cols-3">
        <Field label={t('money.limit')} error={isLimitWrong ? t('money.limitWrong') : undefined}>
          {(ids) => (
            <TextInput {...ids} inputMode="decimal" autoFocus={budget !== undefined} value={limit} onChange={(event) => setLimit(event.target.value)} />
          )}
        </Field>
        {!budget && (
          <>
            <Field label={t('money.unit')}>
              {(ids) => (
                <SelectField {...ids} value={unit} onChange={(event) => setUnit(budgetUnits.find((one) => one === event.target.value) ?? 'usd')}>
                  {budgetUnits.map((value) => (
                    <option key={value} value={value}>
                      {t(`money.units.${value}`)}
                    </option>
                  ))}
                </SelectField>
              )}
            </Field>
            <Field label={t('money.per')}>
              {(ids) => (
                <SelectField {...ids} value={per} onChange={(event) => setPer(budgetWindows.find((one) => one === event.target.value) ?? 'month')}>
                  {budgetWindows.map((value) => (
                    <option key={value} value={value}>
                      {t(`money.pers.${value}`)}
                    </option>
                  ))}
                </SelectField>
              )}
            </Field>
          </>
        )}
      </div>
    </ActionDialog>
  )
}
