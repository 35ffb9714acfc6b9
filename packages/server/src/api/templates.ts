import { createTemplate, deleteTemplate, getTemplate, listTemplates } from '@longhaul/protocol'
import type { TemplateService } from '../sandbox/index.ts'
import { type Implementation, implement } from './implement.ts'

export const templateImplementations = (templates: TemplateService): Implementation[] => [
  implement(createTemplate, (caller, input) => templates.create(caller, input)),
  implement(listTemplates, (caller, input) => templates.list(caller, input)),
  implement(getTemplate, (caller, { templateId }) => templates.get(caller, templateId)),
  implement(deleteTemplate, (caller, { templateId }) => templates.delete(caller, templateId)),
]
