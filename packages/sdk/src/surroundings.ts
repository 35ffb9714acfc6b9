/** Whose code is running: told by the asynchronous context, for log lines and to catch durable operations asked inside a step. */
import { AsyncLocalStorage } from 'node:async_hooks'

export type Surroundings = { readonly run: string; readonly step: string | undefined; isOver: boolean }

const storage = new AsyncLocalStorage<Surroundings>()

export const inside = <Result>(surroundings: Surroundings, work: () => Result): Result => storage.run(surroundings, work)

/** The run that the calling code belongs to; undefined outside of all runs. */
export const currentRun = (): string | undefined => storage.getStore()?.run

/** The name of the step of `run` that the calling code belongs to, while that step executes. */
export function currentStep(run: string): string | undefined {
  const found = storage.getStore()
  return found && found.run === run && !found.isOver ? found.step : undefined
}
