/** What one sandbox has moved and asked for, against what it may. */
export type Limits = { bytesMax: number; requestsMax: number }
export type Meter = {
  setLimits(limits: Limits): void
  used(): { bytes: number; requests: number }
  /** Counts a request. The reason when there is none left. */
  whyNoRequest(): string | undefined
  /** Counts bytes. False once they are used up: the connection is to be cut. */
  spend(bytes: number): boolean
  whyNoBytes(): string | undefined
}

export function createMeter(limits: Limits, before: { bytes: number; requests: number }): Meter {
  let { bytes, requests } = before
  let max = limits
  const whyNoBytes = () => (bytes >= max.bytesMax ? `The sandbox has moved the ${max.bytesMax} bytes that it may.` : undefined)
  return {
    setLimits: (next) => (max = next),
    used: () => ({ bytes, requests }),
    whyNoRequest() {
      requests++
      return requests > max.requestsMax ? `The sandbox has made the ${max.requestsMax} requests that it may.` : whyNoBytes()
    },
    spend(count) {
      bytes += count
      return bytes <= max.bytesMax
    },
    whyNoBytes,
  }
}
