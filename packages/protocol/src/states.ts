/** Words that schemas and pages share. The schemas that are made of them say more. */

export const auditOutcomes = ['done', 'refused', 'failed'] as const
export const hookOutcomes = ['started', 'signalled', 'repeated', 'left', 'refused'] as const
export const sandboxStates = ['active', 'released', 'stopped'] as const

/** Why a run waits for an operator. */
export const parkReasons = ['diverged', 'poison', 'broken', 'stopped', 'in_doubt'] as const

/** Why somebody must look: why a run waits for an operator, or that it failed, or that its end could not be told. */
export const attentionReasons = [...parkReasons, 'failed', 'undelivered'] as const
