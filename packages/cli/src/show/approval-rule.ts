import type { ApprovalRule } from '@longhaul/protocol'

/** Who has to say yes, in words for a list. When everybody may is not among them. */
export function whoDecides({ approversMin, excludesAsker, roles }: ApprovalRule): string[] {
  const who = approversMin === 1 ? 'one' : `${approversMin} people or keys`
  return [`${who}${roles ? ` of the roles ${roles.join(', ')}` : ''}`, ...(excludesAsker ? ['not the asker'] : [])]
}
