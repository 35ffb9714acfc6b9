/**
 * A read that many ask for at the same time, made once for all of them. Whoever asks while one is under way gets the one after it: no answer is
 * older than its question, and of each key at most one read is under way, however many ask.
 */
export function shareReads<Value>(read: (key: string) => Promise<Value>): (key: string) => Promise<Value> {
  type Reading = { isOver: Promise<void>; next?: Promise<Value> }
  const underWay = new Map<string, Reading>()

  function begin(key: string): Promise<Value> {
    const found = read(key)
    const end = () => {
      if (!reading.next) underWay.delete(key)
    }
    const reading: Reading = { isOver: found.then(end, end) }
    underWay.set(key, reading)
    return found
  }

  return (key) => {
    const reading = underWay.get(key)
    return reading ? (reading.next ??= reading.isOver.then(() => begin(key))) : begin(key)
  }
}
