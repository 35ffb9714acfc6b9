import type { Op, ToolScope } from './operation.ts'

/** What is going on in a run: what executes here, what the server is asked for, what it waits for. */
export class Activity {
  /** Unanswered operations that need this process or the server to do something. */
  #busyCount = 0
  #executingCount = 0
  readonly #waits = new Set<Op>()

  asked(op: Op): void {
    if (!op.isWait) {
      this.#busyCount++
      return
    }
    this.#waits.add(op)
    const tool = op.scope.tool
    if (tool?.waits.add(op).size === 1) this.#toolWaits(tool, true)
  }

  answered(op: Op): void {
    if (!op.isWait) {
      this.#busyCount--
      return
    }
    this.#waits.delete(op)
    const tool = op.scope.tool
    if (tool?.waits.delete(op) && tool.waits.size === 0) this.#toolWaits(tool, false)
  }

  startedExecuting(): void {
    this.#executingCount++
  }

  stoppedExecuting(): void {
    this.#executingCount--
  }

  get isExecuting(): boolean {
    return this.#executingCount > 0
  }

  /** Nobody needs to do anything until one of the waits ends. */
  get isOnlyWaiting(): boolean {
    return this.#busyCount === 0 && this.#waits.size > 0
  }

  get waitPaths(): string[] {
    return Array.from(this.#waits, (op) => op.path)
  }

  /** A tool whose code is in a wait needs nobody until the wait ends, either. */
  #toolWaits(tool: ToolScope, isWaiting: boolean): void {
    this.#busyCount += isWaiting ? -1 : 1
    this.#executingCount += isWaiting ? -1 : 1
    tool.onWaiting(isWaiting)
  }
}
