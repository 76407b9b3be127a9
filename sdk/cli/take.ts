/** The first `limit` items of a list that may be long. */
export async function* take<T>(items: AsyncIterable<T>, limit: number): AsyncGenerator<T, void> {
  let left = limit
  if (left <= 0) return
  for await (const item of items) {
    yield item
    if (--left === 0) return
  }
}
