/** What money needs to know of a model call: who makes it, the most it can cost, and in the end what it was. Plain data. */
import type { TokenBuckets } from './buckets.ts'

/** Whom a call is attributed to. Everything but the tenant may be absent; what is there can be asked for and can have a budget. */
export type Attribution = {
  tenantId: string
  /** Absent: `default`. */
  namespace?: string | undefined
  agent?: string | undefined
  version?: string | undefined
  runId?: string | undefined
  /** The step's place in its run, and which try at it this is. With `runId` they are the reservation's key: see `Money.admit`. */
  op?: string | undefined
  attempt?: number | undefined
  session?: string | undefined
  /** The person for whom it is made, in the caller's own words: OpenAI's `user`, Anthropic's `metadata.user_id`. At most 200 characters. */
  user?: string | undefined
  keyId?: string | undefined
  /** Free labels: at most 16, each at most 64 characters long, as is its value. */
  tags?: Record<string, string> | undefined
}

/** Why a call went to its model, where the caller asked for a route. */
export type RouteNote = {
  name: string
  why: string
  /** Of routes that learn: what the request was taken for, and with which chance its model was drawn, where chance decided. */
  task?: string
  kind?: string
  difficulty?: number
  chance?: number
}

export type Call = Attribution & {
  /** `provider/model` as it will be called: after aliases and routes, before a snapshot's date is known. */
  model: string
  /**
   * UTF-8 bytes of all text that is sent: instructions, messages, tools. A body as it came over HTTP will do. No tokenizer makes more
   * tokens than bytes, so this bounds the input from above without running one.
   */
  inputBytes: number
  /** Replaces the bound made from `inputBytes`: for images and audio, whose base64 is no text. */
  inputTokensMax?: number | undefined
  /** What the caller asked for. Absent: the model's own limit. */
  outputTokensMax?: number | undefined
  /** Whether `outputTokensMax` may be lowered to what a budget has left. Absent: yes. */
  mayClamp?: boolean | undefined
  route?: RouteNote | undefined
}

/** A call that may be made. Plain data: hand it to `settle` unchanged. */
export type Reservation = {
  /** Also the id of the call's row in `usage`. */
  id: string
  call: Call
  /** What is held on each counter. Empty when no budget applies. */
  holds: Hold[]
  /** The rates that apply, as recorded with the call; undefined when the model has no price. */
  priceId: string | undefined
  /** When the call was admitted, by this process's monotonic clock. */
  admittedMs: number
}

export type Unit = 'usd' | 'tokens' | 'requests'
/** `amount` is in nanodollars, tokens or requests. */
export type Hold = { counter: number; unit: Unit; amount: number }

export type Admission =
  | {
      isAdmitted: true
      reservation: Reservation
      /** The reservation's id, and that of the call in the usage. */
      callId: string
      /** Ask the provider for no more than this. Undefined: no limit of ours. */ outputTokensMax: number | undefined
    }
  | { isAdmitted: false; refusal: Refusal }

/** Why a call was refused, for people and for machines. Amounts are in dollars, tokens or requests, as `unit` says. */
export type Refusal = {
  /**
   * `exhausted`: it would not fit even if nothing else were under way. `busy`: it will fit once calls that are under way have been settled for less than
   * they hold. `unpriced`: a budget in money applies and the model has no price.
   */
  reason: 'exhausted' | 'busy' | 'unpriced'
  message: string
  budget: { id: string; name: string; scope: string; subject: string; window: string; unit: Unit; limit: number }
  /** The worst case of this call; null when it has no price. */
  needed: number | null
  spent: number
  /** Held by calls that are under way. */
  reserved: number
  left: number
  /** When the window ends and the budget is full again; null when it never is. */
  refillsAt: string | null
}

/** How a call ended. */
export type Outcome =
  /** The provider said what was used. */
  | { type: 'used'; tokens: TokenBuckets; isFailed?: boolean; verdict?: Verdict | undefined }
  /** It reached nobody or was turned away: connection refused, 4xx, cancelled before it was sent. Costs nothing and counts as no request. */
  | { type: 'never-happened' }
  /** It was made and the provider said nothing: broken off, aborted, silent. `outputBytes` is how much text had come. Marked as estimated. */
  | { type: 'unknown'; outputBytes: number; verdict?: Verdict | undefined }

/** Whether the answer was what was asked for. Absent: it was not checked. */
export type Verdict = 'fits' | 'misfits'
