/** An event of a stream; `data` is parsed. */
export interface ReadEvent {
  readonly id: string | undefined
  /** `message` unless it is named. */
  readonly event: string
  readonly data: never
}

/** The server-sent events of an answer, as a browser's EventSource would tell them; throws when the connection breaks. */
export async function* readEvents({ body }: Response): AsyncGenerator<ReadEvent> {
  let text = ''
  for await (const chunk of body!.pipeThrough(new TextDecoderStream())) {
    const blocks = (text + chunk).split('\n\n')
    // What follows the last empty line is no event yet.
    text = blocks.pop()!
    for (const block of blocks) {
      const fields = new Map(block.split('\n').map((line) => line.split(/: ?(.*)/s, 2) as [string, string]))
      const data = fields.get('data')
      if (data !== undefined)
        yield { id: fields.get('id'), event: fields.get('event') ?? 'message', data: JSON.parse(data) as never }
    }
  }
}
