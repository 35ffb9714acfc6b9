/** A request that needs a second factor waits for it, and is sent again. Whoever made it sees one answer. */
const listeners = new Set<() => void>()
let asked: PromiseWithResolvers<boolean> | undefined
const retryMs = 30_000

export const isStepUpAsked = (): boolean => asked !== undefined

export function onStepUpChange(listener: () => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** The answer of whoever was asked: whether the factor was given. */
export function answerStepUp(isGiven: boolean): void {
  asked?.resolve(isGiven)
  asked = undefined
  for (const listener of listeners) listener()
}

function ask(): Promise<boolean> {
  asked ??= Promise.withResolvers()
  for (const listener of listeners) listener()
  return asked.promise
}

export const withStepUp =
  (send: typeof fetch): typeof fetch =>
  async (input, init) => {
    const response = await send(input, init)
    if (response.status !== 403 || !(await isStepUp(response.clone()))) return response
    // The first one's time limit has run out while a code was typed.
    return (await ask()) ? send(input, { ...init, signal: AbortSignal.timeout(retryMs) }) : response
  }

async function isStepUp(response: Response): Promise<boolean> {
  try {
    const body = (await response.json()) as { error?: { code?: unknown } } // Looked at next.
    return body.error?.code === 'step_up_required'
  } catch {
    return false // Not our server's.
  }
}
