/** Whose code is running: told by the asynchronous context, for log lines and to catch durable operations asked inside a step. */
import { AsyncLocalStorage } from 'node:async_hooks'

export type Surroundings = {
  readonly run: string
  /** The step that the code belongs to; undefined in the run's own code and in a tool's. */
  readonly step: string | undefined
  /** The step or tool has come to its end. */
  isOver: boolean
  /** Fails the step or tool, for errors that reach nobody: thrown from a timer, or by a promise that nobody waits for. */
  fail?: ((error: unknown) => void) | undefined
}

const storage = new AsyncLocalStorage<Surroundings>()

export const inside = <Result>(surroundings: Surroundings, work: () => Result): Result => storage.run(surroundings, work)

/** The run that the calling code belongs to; undefined outside of all runs. */
export const currentRun = (): string | undefined => storage.getStore()?.run

/** The name of the step of `run` that the calling code belongs to, while that step executes. */
export function currentStep(run: string): string | undefined {
  const found = storage.getStore()
  return found && found.run === run && !found.isOver ? found.step : undefined
}

/** Fails the step or tool that the calling code belongs to. False when it belongs to none, or to one that has ended. */
export function failSurroundings(error: unknown): boolean {
  const found = storage.getStore()
  if (!found?.fail || found.isOver) return false
  found.fail(error)
  return true
}
