/** What to list, how, and from where on. */
export interface ListQuery {
  /** AIP-160, tasks only; for example `state = DEAD AND queue = "mail"`. */
  filter?: string
  /** `create_time` or `create_time desc`, tasks only. */
  orderBy?: string
  /** Items per page, 1 to 1,000. */
  pageSize?: number
  /** From an earlier page's `nextPageToken`. */
  pageToken?: string
}

/** One page of a list; an empty `nextPageToken` says that it is the last. */
export interface Page<T> {
  items: T[]
  nextPageToken: string
}

/** A list that is read page by page while somebody iterates over its items, or over its `pages()`. */
export class Listing<T> implements AsyncIterable<T> {
  readonly #read: (pageToken: string) => Promise<Page<T>>
  readonly #first: string

  constructor(read: (pageToken: string) => Promise<Page<T>>, pageToken = '') {
    this.#read = read
    this.#first = pageToken
  }

  async *pages(): AsyncGenerator<Page<T>, void> {
    let pageToken = this.#first
    do {
      const page = await this.#read(pageToken)
      yield page
      pageToken = page.nextPageToken
    } while (pageToken !== '')
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void> {
    for await (const page of this.pages()) yield* page.items
  }
}
