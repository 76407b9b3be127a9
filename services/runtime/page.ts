/** Which part of a list is asked for. */
export interface PageRequest {
  /** At most this many rows. */
  size: number
  /** The key of the last row that was seen; from the beginning, if undefined. */
  after?: string | undefined
}

/** A part of a list. */
export interface Page<Row> {
  rows: Row[]
  /** Continues after this page; undefined on the last one. */
  next?: string
}

/** Makes a page of `size` from a query that read one row more, to see whether another page follows. */
export function toPage<Row>(rows: Row[], size: number, keyOf: (row: Row) => string): Page<Row> {
  if (rows.length <= size) return { rows }
  const page = rows.slice(0, size)
  return { rows: page, next: keyOf(page[size - 1]!) }
}
